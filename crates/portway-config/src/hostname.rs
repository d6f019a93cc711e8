//! Hostnames of listeners and routes: all, one, or those below a domain.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A hostname, a wildcard, or all hostnames. Always in lower case, without a trailing dot.
///
/// `Ord` is precedence: the more specific pattern is the lesser. An exact name comes before a
/// wildcard, a longer wildcard before a shorter one, and all hostnames last.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum HostnamePattern {
    /// `foo.example.com`.
    Exact(Arc<str>),
    /// `*.example.com`: one label or more in front. Held without the asterisk, as `.example.com`.
    Wildcard(Arc<str>),
    /// All hostnames, and requests without any.
    Any,
}

impl HostnamePattern {
    /// Reads a hostname of the Gateway API; empty is all.
    pub fn parse(text: &str) -> Self {
        let text = text.trim_end_matches('.').to_ascii_lowercase();
        match text.strip_prefix('*') {
            Some("") => Self::Any,
            Some(suffix) => Self::Wildcard(suffix.into()),
            None if text.is_empty() => Self::Any,
            None => Self::Exact(text.into()),
        }
    }

    /// Whether `host` (lower case, no port, no trailing dot) matches.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => host.len() > suffix.len() && host.ends_with(&**suffix),
            Self::Any => true,
        }
    }

    /// The hostnames that both match, if there are any: the more specific of the two patterns.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, it) | (it, Self::Any) => Some(it.clone()),
            (Self::Exact(name), it) | (it, Self::Exact(name)) => {
                it.matches(name).then(|| Self::Exact(Arc::clone(name)))
            }
            (Self::Wildcard(a), Self::Wildcard(b)) => {
                let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
                long.ends_with(&**short).then(|| Self::Wildcard(Arc::clone(long)))
            }
        }
    }

    fn rank(&self) -> (u8, Reverse<usize>, &str) {
        match self {
            Self::Exact(name) => (0, Reverse(name.len()), name),
            Self::Wildcard(suffix) => (1, Reverse(suffix.len()), suffix),
            Self::Any => (2, Reverse(0), ""),
        }
    }
}

impl Ord for HostnamePattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for HostnamePattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for HostnamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

impl From<HostnamePattern> for String {
    fn from(pattern: HostnamePattern) -> Self {
        pattern.to_string()
    }
}

impl From<String> for HostnamePattern {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostnamePattern {
        HostnamePattern::parse(text)
    }

    #[test]
    fn a_wildcard_needs_at_least_one_label() {
        assert!(pattern("*.example.com").matches("a.example.com"));
        assert!(pattern("*.example.com").matches("a.b.example.com"));
        assert!(!pattern("*.example.com").matches("example.com"));
        assert!(!pattern("*.example.com").matches(".example.com"));
        assert!(!pattern("*.example.com").matches("badexample.com"));
    }

    #[test]
    fn case_and_trailing_dot_do_not_matter() {
        assert_eq!(pattern("Foo.Example.COM."), pattern("foo.example.com"));
    }

    #[test]
    fn intersection_is_the_more_specific_pattern_or_nothing() {
        let cases = [
            ("", "foo.example.com", Some("foo.example.com")),
            ("*.example.com", "", Some("*.example.com")),
            ("*.example.com", "foo.example.com", Some("foo.example.com")),
            ("*.example.com", "*.a.example.com", Some("*.a.example.com")),
            ("*.example.com", "example.com", None),
            ("foo.example.com", "bar.example.com", None),
            ("*.example.com", "*.example.org", None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(pattern(a).intersection(&pattern(b)), expected.map(pattern), "{a} and {b}");
            assert_eq!(pattern(b).intersection(&pattern(a)), expected.map(pattern), "{b} and {a}");
        }
    }

    #[test]
    fn precedence_is_order() {
        let mut patterns = ["", "*.com", "*.example.com", "a.io", "foo.example.com"].map(pattern);
        patterns.sort();
        assert_eq!(
            patterns.map(|it| it.to_string()),
            ["foo.example.com", "a.io", "*.example.com", "*.com", "*"]
        );
    }
}
