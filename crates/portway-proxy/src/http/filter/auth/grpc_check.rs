//! Authorization by gRPC: Envoy's `envoy.service.auth.v3.Authorization/Check`.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use prost::Message;

use super::changes::{Changes, may_be_changed};
use super::envoy::{self, AppendAction, CheckRequest, CheckResponse, HeaderValueOption};
use super::{Denial, Verdict};
use crate::http::body::RequestBody;
use crate::http::draft::Draft;
use crate::http::exchange::Exchange;
use crate::http::filter::InvalidFilter;
use crate::http::filter::header_change::{HeaderChange, Mode};
use crate::upstream::{Backend, UpstreamBody};

/// Before each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const PREFIX: usize = 5;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// How a server is asked over gRPC.
#[derive(Debug)]
pub(super) struct GrpcCheck {
    /// Request headers that are sent; none given is all.
    allowed: Vec<HeaderName>,
}

impl GrpcCheck {
    pub(super) fn compile(allowed: &[Arc<str>]) -> Result<Self, InvalidFilter> {
        let parse = |name: &Arc<str>| HeaderName::from_bytes(name.as_bytes());
        let allowed: Result<_, _> = allowed.iter().map(parse).collect();
        let allowed = allowed.map_err(|_| InvalidFilter::new("a header name of external authorization"))?;
        Ok(Self { allowed })
    }

    /// Asks; none when there is no answer, or none that says yes or no.
    pub(super) async fn ask(
        &self,
        exchange: &Exchange,
        backend: &Backend,
        draft: &Draft,
        body: &Bytes,
    ) -> Option<Verdict> {
        let limits = &exchange.connection.worker.limits;
        let request = call(backend, &self.request(exchange, draft, body), limits.external_auth_timeout)?;
        let failed = |why: &dyn std::fmt::Display| {
            tracing::warn!(request = exchange.request_id.as_str(), error = %why, "external authorization failed");
        };
        let sent = exchange.connection.worker.upstream.send(backend, request, &[]).await;
        let (parts, body) = sent.inspect_err(|error| failed(error)).ok()?.response.into_parts();
        if parts.status != StatusCode::OK {
            failed(&format_args!("the server answered with HTTP status {}", parts.status));
            return None;
        }
        let answer = answer(&parts.headers, body, limits.external_auth_answer_bytes).await;
        let answer = answer.inspect_err(|why| failed(why)).ok()?;
        let verdict = verdict(answer);
        if verdict.is_none() {
            failed(&"the server's answer says neither yes nor no");
        }
        verdict
    }

    fn request(&self, exchange: &Exchange, draft: &Draft, body: &Bytes) -> CheckRequest {
        let connection = &exchange.connection.info;
        let since_1970 = exchange.start.duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = envoy::Timestamp {
            seconds: since_1970.as_secs().try_into().unwrap_or(i64::MAX),
            // Fewer than 10^9, as the type says.
            nanos: since_1970.subsec_nanos() as i32,
        };
        let query = draft.target.query().map(|query| format!("?{query}")).unwrap_or_default();
        let (text, raw_body) = match std::str::from_utf8(body) {
            Ok(text) => (text.to_owned(), Vec::new()),
            Err(_) => (String::new(), body.to_vec()),
        };
        let http = envoy::HttpRequest {
            id: exchange.request_id.as_str().to_owned(),
            method: draft.method.to_string(),
            headers: self.headers(&draft.headers),
            path: format!("{}{query}", draft.target.path()),
            host: draft.authority.value().to_str().unwrap_or_default().to_owned(),
            scheme: if connection.tls.is_some() { "https" } else { "http" }.to_owned(),
            size: draft.body.size_hint().exact().and_then(|size| size.try_into().ok()).unwrap_or(-1),
            protocol: protocol(exchange.version()).to_owned(),
            body: text,
            raw_body,
        };
        let sni = connection.tls.as_ref().and_then(|tls| tls.server_name.as_deref());
        CheckRequest {
            attributes: Some(envoy::AttributeContext {
                source: Some(peer(exchange.client.get(), connection.peer.port())),
                destination: Some(peer(connection.local.ip().to_canonical(), connection.local.port())),
                request: Some(envoy::Request { time: Some(time), http: Some(http) }),
                tls_session: sni.map(|sni| envoy::TlsSession { sni: sni.to_owned() }),
            }),
        }
    }

    /// Several values of a name are one, as RFC 9110 (section 5.3) joins them.
    fn headers(&self, headers: &HeaderMap) -> std::collections::HashMap<String, String> {
        let is_sent = |name: &&HeaderName| self.allowed.is_empty() || self.allowed.contains(name);
        let joined = |name: &HeaderName| {
            let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            let separator: &[u8] = if *name == header::COOKIE { b"; " } else { b"," };
            // A protobuf string is UTF-8.
            String::from_utf8_lossy(&values.join(separator)).into_owned()
        };
        headers.keys().filter(is_sent).map(|name| (name.to_string(), joined(name))).collect()
    }
}

fn peer(ip: std::net::IpAddr, port: u16) -> envoy::Peer {
    let socket_address = envoy::SocketAddress { address: ip.to_string(), port_value: port.into() };
    envoy::Peer { address: Some(envoy::Address { socket_address: Some(socket_address) }) }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

/// A unary call (gRPC over HTTP/2, "Requests").
fn call(backend: &Backend, message: &CheckRequest, limit: Duration) -> Option<Request<RequestBody>> {
    let length = message.encoded_len();
    let mut body = BytesMut::with_capacity(PREFIX + length);
    body.put_u8(0);
    body.put_u32(u32::try_from(length).ok()?);
    // The buffer grows as is needed.
    message.encode(&mut body).ok()?;
    let mut request = Request::new(RequestBody::full(body.freeze()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static("/envoy.service.auth.v3.Authorization/Check");
    let headers = request.headers_mut();
    let service = &backend.key.endpoints.service;
    let host = format!("{}.{}:{}", service.name, service.namespace, backend.key.endpoints.port);
    headers.insert(header::HOST, HeaderValue::try_from(host).ok()?);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    let timeout = format!("{}m", limit.as_millis().min(99_999_999));
    headers.insert(HeaderName::from_static("grpc-timeout"), HeaderValue::try_from(timeout).ok()?);
    Some(request)
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the call failed with gRPC status {0}")]
    Status(String),
    #[error("the answer broke off, or is longer than {limit} bytes: {error}")]
    Broken { limit: usize, error: Box<dyn std::error::Error + Send + Sync> },
    #[error("the answer is not one message of gRPC")]
    Malformed,
}

async fn answer(headers: &HeaderMap, body: UpstreamBody, limit: usize) -> Result<CheckResponse, Failure> {
    let collected = Limited::new(body, limit).collect().await;
    let collected = collected.map_err(|error| Failure::Broken { limit, error })?;
    // An error may come without a message, its status among the headers ("Trailers-Only").
    let trailers = collected.trailers();
    let status = trailers.and_then(|it| it.get(GRPC_STATUS)).or_else(|| headers.get(GRPC_STATUS));
    match status.map(HeaderValue::as_bytes) {
        Some(b"0") => {}
        Some(other) => return Err(Failure::Status(String::from_utf8_lossy(other).into_owned())),
        None => return Err(Failure::Malformed),
    }
    let mut message = collected.to_bytes();
    if message.len() < PREFIX {
        return Err(Failure::Malformed);
    }
    let (compressed, length) = (message.get_u8(), message.get_u32());
    if compressed != 0 || message.len() as u64 != u64::from(length) {
        return Err(Failure::Malformed);
    }
    CheckResponse::decode(message).map_err(|_| Failure::Malformed)
}

/// `OK` lets pass, any other status denies. An empty answer would be `OK` by the rules of protobuf; it says
/// nothing that could be meant as a permission, and gives none.
fn verdict(answer: CheckResponse) -> Option<Verdict> {
    match (answer.status, answer.ok_response) {
        (Some(envoy::Status { code: 0 }), ok) => Some(Verdict::Pass(changes(ok.unwrap_or_default()))),
        (None, Some(ok)) => Some(Verdict::Pass(changes(ok))),
        (None, None) if answer.denied_response.is_none() => None,
        _ => Some(Verdict::Deny(denial(answer.denied_response.unwrap_or_default()))),
    }
}

/// What a server changes of a request: a header is replaced unless the server says otherwise
/// (`OkHttpResponse.headers`).
fn changes(ok: envoy::OkHttpResponse) -> Changes {
    let names = ok.headers_to_remove.iter().filter_map(|name| name.parse().ok());
    Changes {
        request: ok.headers.iter().filter_map(|it| change(it, Mode::Set)).collect(),
        remove: names.filter(may_be_changed).collect(),
        response: response_changes(&ok.response_headers_to_add),
        set_query: ok.query_parameters_to_set.into_iter().map(|it| (it.key, it.value)).collect(),
        remove_query: ok.query_parameters_to_remove,
    }
}

fn response_changes(headers: &[HeaderValueOption]) -> Vec<HeaderChange> {
    headers.iter().filter_map(|it| change(it, Mode::Append)).collect()
}

/// A change, unless the header may not be changed. `usual` is what neither `append` nor `append_action` say.
fn change(option: &HeaderValueOption, usual: Mode) -> Option<HeaderChange> {
    let header = option.header.as_ref()?;
    let name: HeaderName = header.key.parse().ok()?;
    let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value };
    let value = HeaderValue::from_bytes(value).ok()?;
    let mode = match (&option.append, option.append_action()) {
        (Some(append), _) => {
            if append.value {
                Mode::Append
            } else {
                Mode::Set
            }
        }
        (None, AppendAction::AppendIfExistsOrAdd) => usual,
        (None, AppendAction::AddIfAbsent) => Mode::AddIfAbsent,
        (None, AppendAction::OverwriteIfExistsOrAdd) => Mode::Set,
        (None, AppendAction::OverwriteIfExists) => Mode::Replace,
    };
    may_be_changed(&name).then_some(HeaderChange { name, value, mode })
}

fn denial(denied: envoy::DeniedHttpResponse) -> Denial {
    let code = denied.status.and_then(|status| u16::try_from(status.code).ok()).unwrap_or_default();
    // 403 where the server names no status, or one that is no answer.
    let status = StatusCode::from_u16(code).ok().filter(|status| status.as_u16() >= 200);
    let mut headers = HeaderMap::new();
    response_changes(&denied.headers).iter().for_each(|change| change.apply(&mut headers));
    Denial { status: status.unwrap_or(StatusCode::FORBIDDEN), headers, body: denied.body.into() }
}
