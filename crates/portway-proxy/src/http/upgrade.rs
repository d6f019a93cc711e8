//! Going on in another protocol: what is asked of the backend, and what the client gets of its answer.
//!
//! A backend is always asked the way of HTTP/1.1. A client of HTTP/2 asks for a WebSocket by an extended
//! CONNECT (RFC 8441), which is translated both ways.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;

use super::body::ResponseBody;
use super::decode::{Asked, Refusal};
use super::exchange::{Exchange, Recording};
use super::filter::apply;
use super::forward::Forwarded;
use super::tunnel::{self, Sides};
use super::{random, respond};
use crate::reason::Reason;

const SEC_WEBSOCKET_KEY: HeaderName = header::SEC_WEBSOCKET_KEY;

/// The client's side of an upgrade that it asks for.
#[derive(Debug)]
pub(super) struct Upgrade {
    client: OnUpgrade,
    asked: Asked,
}

impl Upgrade {
    /// Takes the client's side from a request, and makes it one of HTTP/1.1.
    pub(super) fn take(parts: &mut Parts, asked: Asked) -> Option<Self> {
        let client = parts.extensions.remove::<OnUpgrade>()?;
        if asked == Asked::Connect {
            parts.method = Method::GET;
            let mut key = [0; 16];
            key[..8].copy_from_slice(&random::next_u64().to_ne_bytes());
            key[8..].copy_from_slice(&random::next_u64().to_ne_bytes());
            // Base64 is always allowed in a header.
            if let Ok(key) = HeaderValue::from_str(&BASE64_STANDARD.encode(key)) {
                parts.headers.insert(SEC_WEBSOCKET_KEY, key);
            }
            parts.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            parts.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        }
        Some(Self { client, asked })
    }
}

/// The response of a backend that agrees to go on in another protocol.
pub(super) fn switched(
    recording: Recording,
    forwarded: Forwarded,
    upgrade: Option<Upgrade>,
) -> Response<ResponseBody> {
    let (mut parts, body) = forwarded.response.into_parts();
    let backend = parts.extensions.remove::<OnUpgrade>();
    let (Some(upgrade), Some(backend)) = (upgrade, backend) else {
        let detail = "the backend switched protocols unasked";
        return respond::refused(recording, Refusal::new(Reason::UpstreamProtocol, detail));
    };
    let exchange = &recording.0;
    let status = agreed(&mut parts.headers, upgrade.asked);
    apply::response(exchange, &mut parts.headers);
    exchange.answered(status.as_u16());
    let mut response = Response::new(ResponseBody::unrecorded());
    *response.status_mut() = status;
    *response.version_mut() = Version::HTTP_11;
    *response.headers_mut() = parts.headers;
    start(exchange.clone(), Sides { client: upgrade.client, backend, body }, upgrade.asked, recording);
    response
}

/// Makes the backend's agreement one for the client.
fn agreed(headers: &mut HeaderMap, asked: Asked) -> StatusCode {
    match asked {
        Asked::Upgrade => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            StatusCode::SWITCHING_PROTOCOLS
        }
        Asked::Connect => {
            for name in [header::CONNECTION, header::UPGRADE, header::SEC_WEBSOCKET_ACCEPT] {
                headers.remove(name);
            }
            StatusCode::OK
        }
    }
}

fn start(exchange: std::rc::Rc<Exchange>, sides: Sides, asked: Asked, recording: Recording) {
    let tunnel = tunnel::run(sides, recording);
    match asked {
        // The connection becomes the tunnel, and whoever serves it runs it.
        Asked::Upgrade => exchange.connection.keep_tunnel(Box::pin(tunnel)),
        // The connection goes on with other streams.
        Asked::Connect => drop(tokio::task::spawn_local(tunnel)),
    }
}
