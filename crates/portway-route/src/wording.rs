//! How conditions read in a sentence.

use std::fmt;

use portway_config::request_match::{PathMatch, ValueMatch};

/// A condition on the path, as in "path prefix /a".
pub(crate) struct PathWords<'a>(pub(crate) &'a PathMatch);

impl fmt::Display for PathWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            PathMatch::Exact(path) => write!(f, "exact path {path}"),
            PathMatch::Prefix(prefix) if prefix.is_empty() => f.write_str("path prefix /"),
            PathMatch::Prefix(prefix) => write!(f, "path prefix {prefix}"),
            PathMatch::Regex(pattern) => write!(f, "path expression `{pattern}`"),
            PathMatch::Grpc { service: None, method: None } => f.write_str("any gRPC method"),
            PathMatch::Grpc { service, method } => {
                f.write_str("gRPC")?;
                if let Some(service) = service {
                    write!(f, " service {}", ValueWords(service))?;
                }
                if let Some(method) = method {
                    write!(f, " method {}", ValueWords(method))?;
                }
                Ok(())
            }
        }
    }
}

/// A condition on a value, as in "`one`" or "expression `o.*`".
pub(crate) struct ValueWords<'a>(pub(crate) &'a ValueMatch);

impl fmt::Display for ValueWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ValueMatch::Exact(value) => write!(f, "`{value}`"),
            ValueMatch::Regex(pattern) => write!(f, "expression `{pattern}`"),
        }
    }
}

/// Items with commas between them.
pub(crate) struct Listed<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, item) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{item}")?;
        }
        Ok(())
    }
}

/// How much younger a route is than another; times in seconds since 1970.
pub(crate) struct Age {
    pub(crate) own: Option<i64>,
    pub(crate) other: Option<i64>,
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.own, self.other) {
            (Some(own), Some(other)) => {
                let seconds = own.abs_diff(other);
                let (number, unit) = match seconds {
                    0..60 => (seconds, "s"),
                    60..3_600 => (seconds / 60, "min"),
                    3_600..86_400 => (seconds / 3_600, "h"),
                    _ => (seconds / 86_400, "d"),
                };
                write!(f, "younger by {number} {unit}")
            }
            _ => f.write_str("of unknown age, and the winner's has a creation time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{exact, grpc, prefix, regex};

    #[test]
    fn conditions_on_the_path_read_well() {
        let words = |it: portway_config::request_match::RequestMatch| PathWords(&it.path).to_string();
        assert_eq!(words(exact("/a")), "exact path /a");
        assert_eq!(words(prefix("/")), "path prefix /");
        assert_eq!(words(prefix("/a/")), "path prefix /a");
        assert_eq!(words(regex("/a.*")), "path expression `/a.*`");
        assert_eq!(words(grpc(None, None)), "any gRPC method");
        assert_eq!(words(grpc(Some("a.B"), Some("~G.*"))), "gRPC service `a.B` method expression `G.*`");
    }

    #[test]
    fn ages_are_told_in_the_largest_unit() {
        let words = |own, other| Age { own, other }.to_string();
        assert_eq!(words(Some(59), Some(0)), "younger by 59 s");
        assert_eq!(words(Some(60), Some(0)), "younger by 1 min");
        assert_eq!(words(Some(7_200), Some(0)), "younger by 2 h");
        assert_eq!(words(Some(i64::MAX), Some(i64::MIN)), "younger by 213503982334601 d");
        assert_eq!(words(None, Some(0)), "of unknown age, and the winner's has a creation time");
    }
}
