//! The parts of a gRPC request's path.

/// Service and method of `/service/method`, if the path has that shape.
pub(crate) fn split(path: &str) -> Option<(&str, &str)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    (!service.is_empty() && !method.is_empty() && !method.contains('/')).then_some((service, method))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn only_two_segments_are_service_and_method() {
        assert_eq!(split("/a.B/C"), Some(("a.B", "C")));
        for path in ["", "/", "/a", "/a/", "//C", "a/b", "/a/b/", "/a/b/c", "*"] {
            assert_eq!(split(path), None, "{path}");
        }
    }
}
