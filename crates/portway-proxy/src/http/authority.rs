//! The authority of a request: host and port, as sent and in canonical form.

use std::net::Ipv6Addr;
use std::ops::Range;

use http::HeaderValue;

/// The authority of a request.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    /// As the client sent it.
    value: HeaderValue,
    /// The host in `value`, without a trailing dot.
    host: Range<usize>,
    /// The canonical host, where it is not what `value` has.
    rewritten: Option<Box<str>>,
}

impl Authority {
    /// Reads `host[:port]`. Absent when it is not one: user information, a list, a bad port.
    pub(crate) fn parse(value: HeaderValue) -> Option<Self> {
        // Most are a name in its canonical form and nothing else: one look tells.
        let last = value.as_bytes().last().copied();
        if last.is_some_and(|last| last != b'.') && value.as_bytes().iter().all(|&byte| is_canonical(byte)) {
            return Some(Self { host: 0..value.len(), rewritten: None, value });
        }
        let text = value.to_str().ok()?;
        let (host, port) = split_port(text)?;
        if !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return None;
        }
        if let Some(address) = host.strip_prefix('[') {
            let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
            return Some(Self { rewritten: Some(format!("[{address}]").into()), value, host: 0..0 });
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        let allowed = |byte: u8| is_canonical(byte.to_ascii_lowercase());
        if !name.bytes().all(allowed) || (name.is_empty() && !text.is_empty()) {
            return None;
        }
        let rewritten = name.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| name.to_ascii_lowercase());
        Some(Self { host: 0..name.len(), rewritten: rewritten.map(Into::into), value })
    }

    /// Of a request without any.
    pub(crate) fn none() -> Self {
        Self { value: HeaderValue::from_static(""), host: 0..0, rewritten: None }
    }

    /// The canonical host: lower case, no port, no trailing dot; IPv6 addresses in brackets, in their
    /// shortest form.
    pub(crate) fn host(&self) -> &str {
        match &self.rewritten {
            Some(host) => host,
            None => self.as_str().get(self.host.clone()).unwrap_or_default(),
        }
    }

    /// As the client sent it.
    pub(crate) fn as_str(&self) -> &str {
        self.value.to_str().unwrap_or_default()
    }

    /// As the client sent it.
    pub(crate) fn value(&self) -> &HeaderValue {
        &self.value
    }
}

/// Whether a byte may be in the canonical form of a name.
fn is_canonical(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_')
}

/// Host and port; an absent port is empty.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let host_end = match text.rfind(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at_checked(host_end)?;
    match rest.strip_prefix(':') {
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some((host, port)),
        None if rest.is_empty() => Some((host, "")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Option<String> {
        Authority::parse(HeaderValue::from_bytes(text.as_bytes()).unwrap()).map(|it| it.host().to_owned())
    }

    #[test]
    fn the_host_is_canonical() {
        let cases = [
            ("example.com", "example.com"),
            ("Example.COM:8080", "example.com"),
            ("example.com.", "example.com"),
            ("EXAMPLE.com.:80", "example.com"),
            ("example.com:", "example.com"),
            ("my_service", "my_service"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("[2001:DB8:0::1]:443", "[2001:db8::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(host(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        let cases = [
            "user@example.com",
            "a,b",
            "a b",
            "a/b",
            "example.com:http",
            "example.com:0",
            "example.com:65536",
            "example.com:80:80",
            "[::1",
            "[::1]x",
            "[fe80::1%eth0]",
            "::1",
            ":80",
            ".",
            "ex%61mple.com",
            "b\u{fc}cher.example",
        ];
        for text in cases {
            assert_eq!(host(text), None, "{text}");
        }
    }
}
