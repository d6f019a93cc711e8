//! A request from its head to its response: the steps in their order.

use std::convert::Infallible;
use std::rc::Rc;

use http::header;
use http::request::Parts;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use portway_config::key::BackendProtocol;
use portway_route::{HostRefusal, ListenerId};

use super::authority::Authority;
use super::body::{RequestBody, ResponseBody};
use super::decode::{self, Head, Refusal};
use super::draft::Draft;
use super::exchange::{Exchange, Recording};
use super::fields::{Kinds, X_REQUEST_ID};
use super::filter::apply::{self, Answer};
use super::filter::mirror;
use super::forward::{Forwarded, forward};
use super::respond;
use super::rule::{CompiledBackend, CompiledRule};
use super::server::ClientConnection;
use super::session::Session;
use super::target::Target;
use super::upgrade::Upgrade;
use crate::reason::Reason;
use crate::snapshot::GatewaySnapshot;
use crate::upstream::Backend;

/// What becomes of a request.
enum Outcome {
    /// A backend has answered.
    Forwarded(Forwarded, Option<Upgrade>),
    /// A filter has answered.
    Answered(Answer),
}

/// Serves one request. Whatever goes wrong is a response.
pub(super) async fn handle(
    connection: Rc<ClientConnection>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let exchange = Exchange::begin(connection, &parts);
    let recording = Recording(Rc::clone(&exchange));
    Ok(match decide(&exchange, parts, body).await {
        Ok(Outcome::Forwarded(forwarded, upgrade)) => respond::forwarded(recording, forwarded, upgrade),
        Ok(Outcome::Answered(answer)) => respond::answered(recording, answer),
        Err(refusal) => respond::refused(recording, refusal),
    })
}

async fn decide(exchange: &Rc<Exchange>, mut parts: Parts, body: Incoming) -> Result<Outcome, Refusal> {
    // From here on a body that no one reads is read to its end, whatever the answer.
    let body = RequestBody::from_client(body, exchange);
    if !body.is_end_stream() {
        exchange.expects_continue.set(parts.headers.contains_key(header::EXPECT));
    }
    let head = decode::decode(&mut parts, &exchange.connection.worker.limits)
        .inspect_err(|_| exchange.distrust_framing())?;
    exchange.grpc.set(head.kinds.has(Kinds::GRPC));
    let upgrade = head.upgrade.and_then(|asked| Upgrade::take(&mut parts, asked));
    let target =
        Target::of(&parts.uri).map_err(|_| if parts.uri.path() == "*" { NO_PATH } else { BAD_PATH })?;
    let gateway = exchange.gateway().ok_or(NO_LISTENER)?;
    let listener = find_listener(exchange, gateway, &head.authority)?;
    exchange.listener.set(Some(listener));
    tell_of_the_way(exchange, &mut parts, &head);
    // The bytes after an upgrade are no body. They are held until the backend agrees.
    let body = if upgrade.is_some() { RequestBody::empty() } else { body };
    let mut draft = Draft {
        method: parts.method,
        headers: parts.headers,
        authority: head.authority,
        target,
        prefix_len: None,
        body,
        mirrors: Vec::new(),
    };
    if let Some(answer) = listener_filters(exchange, gateway, listener, &mut draft).await? {
        return Ok(Outcome::Answered(answer));
    }
    let rule = find_rule(exchange, gateway, listener, &mut draft)?;
    // As the client has sent it: filters may take it from the backend.
    let session = rule.persistence.as_ref().map(|it| Box::new(it.find(&draft.headers, exchange.start)));
    if let Some(answer) = apply::request(exchange, &rule.filters, &mut draft).await? {
        return Ok(Outcome::Answered(answer));
    }
    let chosen = choose_backend(exchange, rule)?;
    if let Some(answer) = apply::request(exchange, &chosen.filters, &mut draft).await? {
        return Ok(Outcome::Answered(answer));
    }
    let backend =
        chosen.target.map_err(|fault| Refusal::new(Reason::Fault(fault), "the backend cannot be served"))?;
    let backend = gateway.backends.get(backend).ok_or(NO_BACKEND)?;
    if upgrade.is_some() && backend.key.protocol == BackendProtocol::Http2 {
        return Err(Refusal::new(
            Reason::UpstreamProtocol,
            "the backend speaks HTTP/2, which has no upgrades",
        ));
    }
    let mirrors = std::mem::take(&mut draft.mirrors);
    let mut request = draft.into_request().map_err(|_| BAD_PATH)?;
    if !mirrors.is_empty() && upgrade.is_none() {
        request = mirror::send(exchange, request, &mirrors);
    }
    if let Some(endpoint) = session.as_ref().and_then(|session| session.endpoint(backend)) {
        // It is chosen once for each request.
        let _ = exchange.preferred.set(endpoint.clone());
    }
    let forwarded = forward(exchange, rule, backend, request).await?;
    if let Some(session) = session {
        renew(exchange, rule, backend, *session);
    }
    Ok(Outcome::Forwarded(forwarded, upgrade))
}

/// Says to the backend who the client is and how the request has come; says it to the record, too.
fn tell_of_the_way(exchange: &Exchange, parts: &mut Parts, head: &Head) {
    let trusted_hops = exchange.trusted_hops();
    let neighbour = &exchange.connection.neighbour;
    let client = neighbour.tell(&mut parts.headers, head.kinds, &head.authority, parts.version, trusted_hops);
    exchange.client.set(client);
    parts.headers.insert(X_REQUEST_ID, exchange.request_id.header_value());
}

async fn listener_filters(
    exchange: &Rc<Exchange>,
    gateway: &GatewaySnapshot,
    listener: ListenerId,
    draft: &mut Draft,
) -> Result<Option<Answer>, Refusal> {
    match gateway.listener_filters.get(listener.0 as usize).map(|it| &it.0) {
        Some(Ok(filters)) if filters.is_empty() => Ok(None),
        Some(Ok(filters)) => apply::request(exchange, filters, draft).await,
        Some(Err(fault)) => Err(Refusal::new(Reason::Fault(*fault), "the listener cannot be served")),
        None => Err(NO_LISTENER),
    }
}

fn find_rule<'a>(
    exchange: &'a Exchange,
    gateway: &GatewaySnapshot,
    listener: ListenerId,
    draft: &mut Draft,
) -> Result<&'a CompiledRule, Refusal> {
    let found = gateway.router.route(listener, draft).ok_or(NO_ROUTE)?;
    exchange.rule.set(Some(found.rule));
    draft.prefix_len = found.prefix_len;
    let rule = exchange.compiled_rule().ok_or(NO_ROUTE)?;
    match rule.fault {
        Some(fault) => Err(Refusal::new(Reason::Fault(fault), "the rule cannot be served")),
        None => Ok(rule),
    }
}

/// Tells the client how to come back to the endpoint that has answered.
fn renew(exchange: &Exchange, rule: &CompiledRule, backend: &Backend, session: Session) {
    let Some((persistence, endpoint)) = rule.persistence.as_ref().zip(exchange.endpoint.get()) else {
        return;
    };
    let is_secure = exchange.connection.info.tls.is_some();
    let pin = backend.pin(endpoint);
    let news = pin.and_then(|pin| persistence.renew(session, pin, exchange.start, is_secure));
    exchange.response_changes.borrow_mut().extend(news);
}

const NO_LISTENER: Refusal = Refusal::new(Reason::NoListener, "no listener has this host");
const NO_ROUTE: Refusal = Refusal::new(Reason::NoRoute, "no route matches");
const NO_BACKEND: Refusal = Refusal::new(Reason::NoBackend, "the rule has no backend");
const NO_PATH: Refusal =
    Refusal::new(Reason::BadPath, "`*` asks about the server as a whole, and routes go by path");
const BAD_PATH: Refusal = Refusal::new(Reason::BadPath, "the path cannot be normalised safely");

fn find_listener(
    exchange: &Exchange,
    gateway: &GatewaySnapshot,
    authority: &Authority,
) -> Result<ListenerId, Refusal> {
    let host = authority.host();
    if exchange.connection.info.tls.is_none() {
        return exchange.clear_text_listener(host).ok_or(NO_LISTENER);
    }
    // A listener that is gone has no say any more; its connection is told so.
    let of_connection = exchange.tls_listener().ok_or(NO_LISTENER)?;
    gateway.router.https_listener(of_connection, host).map_err(|refusal| match refusal {
        HostRefusal::NotFound => NO_LISTENER,
        HostRefusal::Misdirected(_) => {
            Refusal::new(Reason::Misdirected, "another listener than the connection's has this host")
        }
    })
}

fn choose_backend<'a>(exchange: &Exchange, rule: &'a CompiledRule) -> Result<&'a CompiledBackend, Refusal> {
    let index = rule.split.next().ok_or(NO_BACKEND)?;
    exchange.backend.set(Some(index));
    rule.backends.get(index).ok_or(NO_BACKEND)
}
