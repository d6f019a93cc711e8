//! Checks of a request's head that hyper has read, before anything acts upon it.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use crate::limits::Limits;
use crate::reason::Reason;

use super::authority::Authority;
use super::fields::{Fields, Kinds};
use super::hop_by_hop;

/// Why a request is refused, in the terms of the access log and of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) detail: &'static str,
}

impl Refusal {
    pub(super) const fn new(reason: Reason, detail: &'static str) -> Self {
        Self { reason, detail }
    }

    const fn bad(detail: &'static str) -> Self {
        Self::new(Reason::BadRequest, detail)
    }
}

/// What the head of a request says.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) authority: Authority,
    pub(super) kinds: Kinds,
    /// The client wants to go on in another protocol.
    pub(super) upgrade: Option<Asked>,
}

/// How a client asks to go on in another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `Upgrade`, over HTTP/1.1.
    Upgrade,
    /// Extended CONNECT for a WebSocket, over HTTP/2 (RFC 8441).
    Connect,
}

/// Checks the head and takes from it what belongs to the connection. `Host` is set afterwards.
pub(super) fn decode(parts: &mut Parts, limits: &Limits) -> Result<Head, Refusal> {
    let fields = Fields::of(&parts.headers);
    if fields.exceed(&parts.headers, limits) {
        return Err(Refusal::new(Reason::HeadersTooLarge, "the header section is too large"));
    }
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.request_target_bytes {
        return Err(Refusal::new(Reason::TargetTooLong, "the request target is too long"));
    }
    let connect = parts.method == Method::CONNECT;
    let protocol = parts.extensions.get::<hyper::ext::Protocol>().map(hyper::ext::Protocol::as_str);
    if connect && protocol != Some("websocket") {
        return Err(Refusal::bad("CONNECT is served for WebSockets only"));
    }
    let kinds = fields.kinds;
    if kinds.has_all(Kinds::CONTENT_LENGTH.union(Kinds::TRANSFER_ENCODING)) {
        return Err(Refusal::bad("both Content-Length and Transfer-Encoding"));
    }
    let authority = authority(parts, &fields)?;
    if kinds.has(Kinds::UNDERSCORE) {
        underscores(&mut parts.headers, limits)?;
    }
    let upgrade = kinds.has(Kinds::UPGRADE)
        && parts.version == Version::HTTP_11
        && hop_by_hop::asks_for_upgrade(&parts.headers)
        && !upgrades_to_http2(&parts.headers);
    hop_by_hop::remove(&mut parts.headers, kinds, upgrade);
    let upgrade = if connect { Some(Asked::Connect) } else { upgrade.then_some(Asked::Upgrade) };
    if kinds.has(Kinds::EXPECT) {
        // hyper answers `100 Continue` as soon as the body is asked for, which is when a backend wants it.
        parts.headers.remove(header::EXPECT);
    }
    Ok(Head { authority, kinds, upgrade })
}

/// The authority: of the target if it has one (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1), else
/// of `Host`.
fn authority(parts: &mut Parts, fields: &Fields) -> Result<Authority, Refusal> {
    if fields.hosts > 1 {
        return Err(Refusal::bad("more than one Host"));
    }
    let host = parts.headers.get(header::HOST);
    let http1 = parts.version <= Version::HTTP_11;
    if host.is_none() && parts.version == Version::HTTP_11 {
        return Err(Refusal::bad("no Host"));
    }
    let Some(target) = parts.uri.authority() else {
        return match host {
            Some(host) => Authority::parse(host.clone()).ok_or(Refusal::bad("Host is malformed")),
            None if http1 => Ok(Authority::none()),
            None => Err(Refusal::bad("no :authority")),
        };
    };
    if !http1 && host.is_some_and(|host| host != target.as_str()) {
        return Err(Refusal::bad("Host differs from :authority"));
    }
    if parts.uri.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
        return Err(Refusal::bad("the scheme of the target is neither http nor https"));
    }
    let value = HeaderValue::from_str(target.as_str()).ok();
    let authority = value.and_then(Authority::parse).ok_or(Refusal::bad("the authority is malformed"))?;
    parts.headers.insert(header::HOST, authority.value().clone());
    Ok(authority)
}

/// Servers that map `-` to `_` cannot tell `X_Forwarded_For` from the field that Portway sets, so the
/// names that shadow a protected field are dropped at least.
fn underscores(headers: &mut HeaderMap, limits: &Limits) -> Result<(), Refusal> {
    if limits.reject_underscore_headers {
        return Err(Refusal::bad("a header name with an underscore"));
    }
    let shadows = |name: &&HeaderName| {
        let name = name.as_str();
        name.contains('_')
            && HeaderName::try_from(name.replace('_', "-")).is_ok_and(|it| hop_by_hop::is_protected(&it))
    };
    let names: Vec<HeaderName> = headers.keys().filter(shadows).cloned().collect();
    names.iter().for_each(|name| drop(headers.remove(name)));
    Ok(())
}

/// An upgrade to HTTP/2 would let requests pass that nobody has looked at (RFC 9113 has dropped it).
fn upgrades_to_http2(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::UPGRADE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|token| {
            token.eq_ignore_ascii_case(b"h2c")
                || token.get(..5).is_some_and(|it| it.eq_ignore_ascii_case(b"http/"))
        })
}

#[cfg(test)]
mod tests;
