//! A condition on the path.

use std::sync::Arc;

use crate::conditions::ValueTest;
use crate::grpc;
use crate::pattern::Pattern;

/// A compiled condition on the path.
#[derive(Clone, Debug)]
pub(crate) enum PathTest {
    Exact(Arc<str>),
    /// Without trailing slash; all paths is the empty string.
    Prefix(Arc<str>),
    Regex(Arc<Pattern>),
    Grpc(Box<GrpcTest>),
}

/// A compiled condition on a gRPC request. The content type is not looked at, so that what speaks a
/// dialect of gRPC (gRPC-Web, Connect) is routed as well.
#[derive(Clone, Debug)]
pub(crate) struct GrpcTest {
    pub(crate) service: Option<ValueTest>,
    pub(crate) method: Option<ValueTest>,
}

impl PathTest {
    /// Whether `path` (canonical, without query) passes.
    pub(crate) fn passes(&self, path: &str) -> bool {
        match self {
            Self::Exact(wanted) => **wanted == *path,
            Self::Prefix(prefix) => has_prefix(path, prefix),
            Self::Regex(pattern) => pattern.matches(path.as_bytes()),
            Self::Grpc(test) => test.passes(path),
        }
    }

    /// Length of the prefix, if this is a condition on one.
    pub(crate) fn prefix_len(&self) -> Option<usize> {
        match self {
            Self::Prefix(prefix) => Some(prefix.len()),
            _ => None,
        }
    }
}

impl GrpcTest {
    fn passes(&self, path: &str) -> bool {
        let passes = |test: &Option<ValueTest>, value| test.as_ref().is_none_or(|test| test.passes(value));
        grpc::split(path)
            .is_some_and(|(service, method)| passes(&self.service, service) && passes(&self.method, method))
    }
}

/// Whether the first segments of `path` are `prefix` (without trailing slash): `/abc` is a prefix of
/// `/abc` and `/abc/d`, not of `/abcd`.
pub(crate) fn has_prefix(path: &str, prefix: &str) -> bool {
    prefix.is_empty()
        || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        for path in ["/abc", "/abc/", "/abc/d", "/abc//d"] {
            assert!(has_prefix(path, "/abc"), "{path}");
        }
        for path in ["/abcd", "/ab", "/", "", "/ABC", "/x/abc", "abc"] {
            assert!(!has_prefix(path, "/abc"), "{path}");
        }
        for path in ["/", "/abc", "", "*"] {
            assert!(has_prefix(path, ""), "{path}");
        }
    }

    #[test]
    fn grpc_tests_look_at_service_and_method() {
        let exact = |value: &str| Some(ValueTest::Exact(value.into()));
        let grpc = |service, method| PathTest::Grpc(Box::new(GrpcTest { service, method }));
        assert!(grpc(exact("a.B"), exact("C")).passes("/a.B/C"));
        assert!(!grpc(exact("a.B"), exact("C")).passes("/a.B/D"));
        assert!(grpc(exact("a.B"), None).passes("/a.B/D"));
        assert!(grpc(None, exact("C")).passes("/x/C"));
        assert!(grpc(None, None).passes("/x/C"));
        assert!(!grpc(None, None).passes("/x"));
    }
}
