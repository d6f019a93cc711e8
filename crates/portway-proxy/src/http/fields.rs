//! One look over the fields of a header section: which of those are there that Portway must act upon.
//! Most requests have none of them, so that most steps have nothing to look up.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::limits::Limits;

/// A set of kinds of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub(super) const HOST: Self = Self(1);
    pub(super) const CONNECTION: Self = Self(1 << 1);
    /// `Keep-Alive`, `Proxy-Connection`, `Transfer-Encoding`, `HTTP2-Settings`: never forwarded.
    pub(super) const HOP: Self = Self(1 << 2);
    pub(super) const TE: Self = Self(1 << 3);
    pub(super) const UPGRADE: Self = Self(1 << 4);
    pub(super) const CONTENT_LENGTH: Self = Self(1 << 5);
    pub(super) const TRANSFER_ENCODING: Self = Self(1 << 6);
    pub(super) const EXPECT: Self = Self(1 << 7);
    /// What tells of the way here: [`FORWARDED`].
    pub(super) const FORWARDED: Self = Self(1 << 8);
    pub(super) const REQUEST_ID: Self = Self(1 << 9);
    pub(super) const VIA: Self = Self(1 << 10);
    /// `Content-Type: application/grpc`, with or without a suffix.
    pub(super) const GRPC: Self = Self(1 << 11);
    /// A name with an underscore.
    pub(super) const UNDERSCORE: Self = Self(1 << 12);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn has_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What tells of the way that a request has come, beside `Via`. A client could lie in each.
pub(super) const FORWARDED: [HeaderName; 7] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    header::FORWARDED,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-forwarded-client-cert"),
];

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Those of [`Kinds::HOP`].
pub(super) const HOP: [HeaderName; 4] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TRANSFER_ENCODING,
    HeaderName::from_static("http2-settings"),
];

fn kinds_of(name: &HeaderName, value: &HeaderValue) -> Kinds {
    match name.as_str() {
        "host" => Kinds::HOST,
        "connection" => Kinds::CONNECTION,
        "keep-alive" | "proxy-connection" | "http2-settings" => Kinds::HOP,
        "transfer-encoding" => Kinds::HOP.union(Kinds::TRANSFER_ENCODING),
        "te" => Kinds::TE,
        "upgrade" => Kinds::UPGRADE,
        "content-length" => Kinds::CONTENT_LENGTH,
        "content-type" if is_grpc(value.as_bytes()) => Kinds::GRPC,
        "expect" => Kinds::EXPECT,
        "via" => Kinds::VIA,
        "x-request-id" => Kinds::REQUEST_ID,
        "x-forwarded-for"
        | "x-forwarded-proto"
        | "x-forwarded-host"
        | "x-forwarded-port"
        | "forwarded"
        | "x-real-ip"
        | "x-forwarded-client-cert" => Kinds::FORWARDED,
        name if name.as_bytes().contains(&b'_') => Kinds::UNDERSCORE,
        _ => Kinds::default(),
    }
}

/// `application/grpc`, `application/grpc+proto`, `application/grpc;...`, but not `application/grpc-web`.
fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let Some((start, rest)) = content_type.split_at_checked(GRPC.len()) else { return false };
    start.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// What a header section has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fields {
    pub(super) kinds: Kinds,
    /// Number of `Host` fields.
    pub(super) hosts: usize,
    /// Names, values, and 32 bytes for each field (RFC 9113, section 10.5.1).
    bytes: usize,
}

impl Fields {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers {
            let kinds = kinds_of(name, value);
            fields.hosts += usize::from(kinds.has(Kinds::HOST));
            fields.kinds.add(kinds);
            fields.bytes += name.as_str().len() + value.len() + 32;
        }
        fields
    }

    /// Whether the section is larger than allowed.
    pub(super) fn exceed(&self, headers: &HeaderMap, limits: &Limits) -> bool {
        self.bytes > limits.request_header_bytes || headers.len() > limits.request_headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> Fields {
        let pairs = list.iter().map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        });
        let mut headers = HeaderMap::new();
        pairs.for_each(|(name, value)| {
            headers.append(name, value);
        });
        Fields::of(&headers)
    }

    #[test]
    fn ordinary_fields_need_nothing() {
        let fields = fields(&[("accept", "*/*"), ("user-agent", "curl"), ("content-type", "text/plain")]);
        assert_eq!(fields.kinds, Kinds::default());
        assert_eq!(fields.bytes, 3 * 32 + "accept*/*user-agentcurlcontent-typetext/plain".len());
    }

    #[test]
    fn fields_to_act_upon_are_found() {
        let fields = fields(&[("host", "a"), ("host", "b"), ("transfer-encoding", "chunked"), ("a_b", "")]);
        assert_eq!(fields.hosts, 2);
        assert!(fields.kinds.has_all(Kinds::HOP.union(Kinds::TRANSFER_ENCODING).union(Kinds::UNDERSCORE)));
        for name in FORWARDED {
            assert!(kinds_of(&name, &HeaderValue::from_static("")).has(Kinds::FORWARDED), "{name}");
        }
        for name in HOP {
            assert!(kinds_of(&name, &HeaderValue::from_static("")).has(Kinds::HOP), "{name}");
        }
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        for yes in ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=utf-8"] {
            assert!(is_grpc(yes.as_bytes()), "{yes}");
        }
        for no in ["application/grpc-web", "application/json", "application/grp"] {
            assert!(!is_grpc(no.as_bytes()), "{no}");
        }
    }
}
