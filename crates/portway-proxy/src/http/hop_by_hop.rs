//! Fields that belong to one connection and are not forwarded (RFC 9110, section 7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::fields::{FORWARDED, HOP, Kinds, X_REQUEST_ID};

/// Removes the fields of the connection from a request or response. With `upgrade`, the fields stay
/// that ask for an upgrade or agree to one.
pub(super) fn remove(headers: &mut HeaderMap, kinds: Kinds, upgrade: bool) {
    if kinds.has(Kinds::CONNECTION) {
        remove_listed(headers);
        headers.remove(header::CONNECTION);
    }
    if kinds.has(Kinds::HOP) {
        HOP.iter().for_each(|name| drop(headers.remove(name)));
    }
    if kinds.has(Kinds::UPGRADE) && !upgrade {
        headers.remove(header::UPGRADE);
    }
    if kinds.has(Kinds::TE) {
        keep_trailers_only(headers);
    }
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Removes what `Connection` lists. It cannot take away what routes, authorizes or frames a request,
/// nor what Portway says of its way: that would let a client hide it from the backend.
fn remove_listed(headers: &mut HeaderMap) {
    let mut listed: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        for token in value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            // The usual tokens name no field, or one that has its own rule.
            let usual: [&[u8]; 4] = [b"keep-alive", b"close", b"upgrade", b"te"];
            if usual.iter().any(|it| token.eq_ignore_ascii_case(it)) {
                continue;
            }
            if let Ok(name) = HeaderName::from_bytes(token)
                && !is_protected(&name)
            {
                listed.push(name);
            }
        }
    }
    listed.iter().for_each(|name| drop(headers.remove(name)));
}

/// Whether a field takes part in routing, authorization or framing, or tells of a request's way.
pub(super) fn is_protected(name: &HeaderName) -> bool {
    const OTHERS: [HeaderName; 9] = [
        header::HOST,
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::TRANSFER_ENCODING,
        header::VIA,
        X_REQUEST_ID,
    ];
    OTHERS.contains(name) || FORWARDED.contains(name)
}

/// gRPC needs `TE: trailers` to pass; other codings are between two neighbours only.
fn keep_trailers_only(headers: &mut HeaderMap) {
    let trailers = headers
        .get_all(header::TE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"));
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    } else {
        headers.remove(header::TE);
    }
}

/// Whether `Connection` lists `upgrade`.
pub(super) fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

/// Removes from trailers what would frame, route or authorize the message, had it stood in the header
/// section (RFC 9110, section 6.5.1).
pub(super) fn clean_trailers(trailers: &mut HeaderMap) {
    let forbidden = |name: &HeaderName| {
        is_protected(name)
            || HOP.contains(name)
            || [header::CONNECTION, header::TE, header::UPGRADE, header::EXPECT, header::TRAILER]
                .contains(name)
    };
    let names: Vec<HeaderName> = trailers.keys().filter(|name| forbidden(name)).cloned().collect();
    names.iter().for_each(|name| drop(trailers.remove(name)));
}

#[cfg(test)]
mod tests {
    use super::super::fields::Fields;
    use super::*;

    fn cleaned(list: &[(&'static str, &'static str)], upgrade: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let kinds = Fields::of(&headers).kinds;
        remove(&mut headers, kinds, upgrade);
        let line =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut lines: Vec<_> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn fields_of_the_connection_are_removed() {
        let request = [
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("te", "gzip"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("transfer-encoding", "chunked"),
            ("accept", "*/*"),
        ];
        assert_eq!(cleaned(&request, false), ["accept: */*"]);
    }

    #[test]
    fn a_client_cannot_have_protected_fields_removed() {
        let request = [
            ("connection", "close, X-Forwarded-For, Authorization, Host, X-Request-Id"),
            ("host", "a"),
            ("authorization", "b"),
            ("x-forwarded-for", "c"),
            ("x-request-id", "d"),
        ];
        let kept = ["authorization: b", "host: a", "x-forwarded-for: c", "x-request-id: d"];
        assert_eq!(cleaned(&request, false), kept);
    }

    #[test]
    fn grpc_keeps_te_trailers() {
        assert_eq!(cleaned(&[("te", "gzip;q=0.5, Trailers")], false), ["te: trailers"]);
    }

    #[test]
    fn an_upgrade_keeps_its_fields() {
        let request = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
        assert_eq!(cleaned(&request, true), ["connection: upgrade", "upgrade: websocket"]);
    }

    #[test]
    fn trailers_cannot_frame_or_route() {
        let mut trailers = HeaderMap::new();
        for name in ["content-length", "host", "authorization", "te", "grpc-status", "x-checksum"] {
            trailers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        clean_trailers(&mut trailers);
        let mut names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["grpc-status", "x-checksum"]);
    }
}
