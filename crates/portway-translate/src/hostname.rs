//! Hostnames of listeners and routes, as users write them.

use std::sync::Arc;

use portway_config::HostnamePattern;

/// Longest hostname, in bytes (RFC 1035, section 2.3.4).
const MAX_HOSTNAME: usize = 253;
/// Longest label of a hostname, in bytes (RFC 1035, section 2.3.4).
const MAX_LABEL: usize = 63;

/// Why a text is not a hostname of the Gateway API. Completes the sentence "`Foo` …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostnameFault {
    /// Too long.
    #[error("is longer than {MAX_HOSTNAME} characters")]
    TooLong,
    /// An asterisk alone, or not at the beginning.
    #[error("has `*` in a place other than before the first dot of a longer name")]
    Asterisk,
    /// Upper case.
    #[error("is not in lower case")]
    UpperCase,
    /// An address.
    #[error("is an IP address, not a name")]
    Address,
    /// Another character, an empty label, a label that is too long or that begins or ends with a hyphen.
    #[error("is not a DNS name")]
    NotDns,
}

/// Reads a hostname: a DNS name in lower case, perhaps with `*.` in front. Empty is all.
pub(crate) fn parse(text: &str) -> Result<HostnamePattern, HostnameFault> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    if text.is_empty() {
        return Ok(HostnamePattern::Any);
    }
    if text.len() > MAX_HOSTNAME {
        return Err(HostnameFault::TooLong);
    }
    if name.contains('*') {
        return Err(HostnameFault::Asterisk);
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(HostnameFault::UpperCase);
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err(HostnameFault::Address);
    }
    if name.split('.').all(is_label) { Ok(HostnamePattern::parse(text)) } else { Err(HostnameFault::NotDns) }
}

/// Reads a hostname that is neither a wildcard nor empty (`PreciseHostname`).
pub(crate) fn precise(text: &str) -> Result<Arc<str>, HostnameFault> {
    match parse(text)? {
        HostnamePattern::Exact(name) => Ok(name),
        HostnamePattern::Wildcard(_) => Err(HostnameFault::Asterisk),
        HostnamePattern::Any => Err(HostnameFault::NotDns),
    }
}

fn is_label(label: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = label.as_bytes();
    label.len() <= MAX_LABEL
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_wildcards_are_hostnames() {
        for text in ["a", "a.example.com", "*.example.com", "1a.example.com", "xn--bcher-kva.example"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse(""), Ok(HostnamePattern::Any));
    }

    #[test]
    fn everything_else_is_not() {
        let long = format!("{}.example.com", "a.".repeat(130));
        let cases = [
            (long.as_str(), HostnameFault::TooLong),
            ("*", HostnameFault::Asterisk),
            ("a.*.example.com", HostnameFault::Asterisk),
            ("A.example.com", HostnameFault::UpperCase),
            ("10.0.0.1", HostnameFault::Address),
            ("::1", HostnameFault::Address),
            ("a..example.com", HostnameFault::NotDns),
            ("a.example.com.", HostnameFault::NotDns),
            ("-a.example.com", HostnameFault::NotDns),
            ("a_b.example.com", HostnameFault::NotDns),
            ("a.example.com:80", HostnameFault::NotDns),
            ("*.", HostnameFault::NotDns),
        ];
        for (text, fault) in cases {
            assert_eq!(parse(text), Err(fault), "{text}");
        }
    }
}
