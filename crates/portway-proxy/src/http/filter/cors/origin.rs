//! Origins, and patterns of them.

use crate::http::filter::InvalidFilter;

/// Origins that a policy allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OriginPattern {
    /// All, `null` included.
    Any,
    /// Those of a scheme and port whose host fits.
    Host { scheme: Box<str>, host: HostPattern, port: Port },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    Exact(Box<str>),
    /// A text before and a text after what the asterisk stands for, dots included.
    Wildcard(Box<str>, Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Any,
    Exactly(u16),
}

impl OriginPattern {
    pub(super) fn compile(text: &str) -> Result<Self, InvalidFilter> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let invalid = || InvalidFilter::new(format_args!("CORS origin {text:?}"));
        let lower = text.to_ascii_lowercase();
        let (scheme, rest) = lower.split_once("://").ok_or_else(invalid)?;
        let (host, port) = split_port(rest);
        let port = match port {
            Some("*") => Port::Any,
            Some(port) => Port::Exactly(port.parse().map_err(|_| invalid())?),
            None => Port::Exactly(default_port(scheme).ok_or_else(invalid)?),
        };
        let host = match host.split_once('*') {
            Some((_, after)) if after.contains('*') => return Err(invalid()),
            Some((before, after)) => HostPattern::Wildcard(before.into(), after.into()),
            None => HostPattern::Exact(host.into()),
        };
        Ok(Self::Host { scheme: scheme.into(), host, port })
    }

    pub(super) fn is_any(&self) -> bool {
        *self == Self::Any
    }

    /// Whether the origin, as a browser writes it, fits. Scheme and host are compared without regard to case.
    pub(super) fn matches(&self, origin: &str) -> bool {
        let Self::Host { scheme, host, port } = self else { return true };
        let Some((origin_scheme, rest)) = origin.split_once("://") else { return false };
        let (origin_host, origin_port) = split_port(rest);
        let origin_port = match origin_port {
            Some(port) => port.parse().ok(),
            None => default_port(scheme),
        };
        scheme.eq_ignore_ascii_case(origin_scheme)
            && match port {
                Port::Any => origin_port.is_some(),
                Port::Exactly(port) => origin_port == Some(*port),
            }
            && host.matches(origin_host)
    }
}

impl HostPattern {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name.eq_ignore_ascii_case(host),
            Self::Wildcard(before, after) => {
                let host = host.to_ascii_lowercase();
                host.len() > before.len() + after.len()
                    && host.starts_with(&**before)
                    && host.ends_with(&**after)
                    && !host.contains(['/', '@'])
            }
        }
    }
}

fn split_port(rest: &str) -> (&str, Option<&str>) {
    match rest.rfind(':') {
        // A colon within brackets belongs to an IPv6 address.
        Some(colon) if !rest[colon..].contains(']') => (&rest[..colon], Some(&rest[colon + 1..])),
        _ => (rest, None),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, origin: &str) -> bool {
        OriginPattern::compile(pattern).unwrap().matches(origin)
    }

    #[test]
    fn an_exact_origin_is_scheme_host_and_port() {
        assert!(matches("https://foo.example", "https://foo.example"));
        assert!(matches("https://foo.example", "https://foo.example:443"));
        assert!(matches("http://foo.example:80", "http://foo.example"));
        assert!(matches("https://Foo.example", "https://foo.EXAMPLE"));
        assert!(matches("http://[::1]:8080", "http://[::1]:8080"));
        assert!(!matches("https://foo.example", "http://foo.example"));
        assert!(!matches("https://foo.example", "https://foo.example:8443"));
        assert!(!matches("https://foo.example", "https://evil-foo.example"));
        assert!(!matches("https://foo.example", "https://foo.example.evil"));
        assert!(!matches("https://foo.example", "null"));
    }

    #[test]
    fn a_wildcard_stands_for_any_number_of_labels() {
        assert!(matches("https://*.bar.com", "https://www.bar.com"));
        assert!(matches("https://*.bar.com", "https://xpto.www.bar.com"));
        assert!(matches("https://*", "https://anything.example"));
        assert!(matches("https://*:8443", "https://anything.example:8443"));
        assert!(!matches("https://*.bar.com", "https://bar.com"));
        assert!(!matches("https://*.bar.com", "https://evilbar.com"));
        assert!(!matches("https://*.bar.com", "http://www.bar.com"));
        assert!(!matches("https://*.bar.com", "https://evil.com/.bar.com"));
        assert!(!matches("https://*", "https://anything.example:8443"));
    }

    #[test]
    fn all_origins() {
        assert!(matches("*", "https://foo.example"));
        assert!(matches("*", "null"));
    }

    #[test]
    fn what_is_no_origin_does_not_compile() {
        for text in ["", "foo.example", "ftp://foo.example", "https://a*b*c", "https://foo.example:http"] {
            assert!(OriginPattern::compile(text).is_err(), "{text}");
        }
    }
}
