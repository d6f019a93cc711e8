//! Responses on their way to the client: the backends', and those that Portway makes itself.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};

use super::body::ResponseBody;
use super::decode::Refusal;
use super::exchange::{Exchange, Recording};
use super::fields::{Fields, Kinds, X_REQUEST_ID};
use super::filter::apply::{self, Answer};
use super::forward::Forwarded;
use super::upgrade::{self, Upgrade};
use super::{grpc, hop_by_hop};
use crate::reason::Reason;

/// The response of a backend.
pub(super) fn forwarded(
    recording: Recording,
    forwarded: Forwarded,
    upgrade: Option<Upgrade>,
) -> Response<ResponseBody> {
    if forwarded.response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return upgrade::switched(recording, forwarded, upgrade);
    }
    let (mut parts, body) = forwarded.response.into_parts();
    let kinds = Fields::of(&parts.headers).kinds;
    if kinds.has_all(Kinds::CONTENT_LENGTH.union(Kinds::TRANSFER_ENCODING)) {
        let detail = "the backend sent both Content-Length and Transfer-Encoding";
        return refused(recording, Refusal::new(Reason::UpstreamProtocol, detail));
    }
    hop_by_hop::remove(&mut parts.headers, kinds, false);
    apply::response(&recording.0, &mut parts.headers);
    say_if_last(&recording.0, &mut parts.headers);
    recording.0.answered(parts.status.as_u16());
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    Response::from_parts(parts, ResponseBody::upstream(body, forwarded.until, recording))
}

/// The response of a filter.
pub(super) fn answered(recording: Recording, answer: Answer) -> Response<ResponseBody> {
    recording.0.blame(answer.reason);
    local(recording, answer.status, answer.headers, answer.body)
}

/// A response that says why there is no other.
pub(super) fn refused(recording: Recording, refusal: Refusal) -> Response<ResponseBody> {
    let exchange = &recording.0;
    exchange.blame(refusal.reason);
    let reason = exchange.reason().unwrap_or(refusal.reason);
    if exchange.grpc.get() {
        let headers = grpc::trailers_only(reason, refusal.detail);
        return local(recording, StatusCode::OK, headers, Bytes::new());
    }
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if matches!(reason, Reason::Overload | Reason::Draining) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    let status = StatusCode::from_u16(reason.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text =
        format!("{}: {}\nrequest id: {}\n", reason.as_str(), refusal.detail, exchange.request_id.as_str());
    local(recording, status, headers, text.into())
}

fn say_if_last(exchange: &Exchange, headers: &mut HeaderMap) {
    if exchange.ends_connection() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

const SERVER: HeaderValue = HeaderValue::from_static("portway");

fn local(
    recording: Recording,
    status: StatusCode,
    mut headers: HeaderMap,
    body: Bytes,
) -> Response<ResponseBody> {
    let exchange: &Exchange = &recording.0;
    headers.insert(header::SERVER, SERVER);
    headers.insert(X_REQUEST_ID, exchange.request_id.header_value());
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    apply::response(exchange, &mut headers);
    say_if_last(exchange, &mut headers);
    exchange.answered(status.as_u16());
    let body = if exchange.is_head() { Bytes::new() } else { body };
    let mut response = Response::new(ResponseBody::full(body, recording));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
