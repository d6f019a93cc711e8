//! A request from its head to its response: the steps in their order.

use std::convert::Infallible;
use std::rc::Rc;

use http::request::Parts;
use hyper::body::Incoming;
use hyper::{Request, Response};
use portway_route::{HostRefusal, ListenerId};

use super::authority::Authority;
use super::body::{RequestBody, ResponseBody};
use super::decode::{self, Refusal};
use super::draft::Draft;
use super::exchange::{Exchange, Recording};
use super::fields::{Kinds, X_REQUEST_ID};
use super::filter::apply::{self, Answer};
use super::forward::forward;
use super::respond;
use super::rule::CompiledRule;
use super::server::ClientConnection;
use super::target::Target;
use crate::reason::Reason;
use crate::snapshot::GatewaySnapshot;

/// What becomes of a request.
enum Outcome {
    /// A backend has answered.
    Forwarded(super::forward::Forwarded),
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
        Ok(Outcome::Forwarded(forwarded)) => respond::forwarded(recording, forwarded),
        Ok(Outcome::Answered(answer)) => respond::answered(recording, answer),
        Err(refusal) => respond::refused(recording, refusal),
    })
}

async fn decide(exchange: &Rc<Exchange>, mut parts: Parts, body: Incoming) -> Result<Outcome, Refusal> {
    let worker = &exchange.connection.worker;
    let head = decode::decode(&mut parts, &worker.limits)?;
    exchange.grpc.set(head.kinds.has(Kinds::GRPC));
    let target = Target::of(&parts.uri)
        .map_err(|_| Refusal::new(Reason::BadPath, "the path cannot be normalised safely"))?;
    let gateway = exchange.gateway().ok_or(NO_LISTENER)?;
    let listener = find_listener(exchange, gateway, &head.authority)?;
    exchange.listener.set(Some(listener));

    let client = exchange.connection.neighbour.tell(
        &mut parts.headers,
        head.kinds,
        &head.authority,
        parts.version,
        exchange.trusted_hops(),
    );
    exchange.client.set(client);
    parts.headers.insert(X_REQUEST_ID, exchange.request_id.header_value());

    let mut draft = Draft {
        method: parts.method,
        headers: parts.headers,
        authority: head.authority,
        target,
        prefix_len: None,
    };
    let found = gateway.router.route(listener, &draft).ok_or(NO_ROUTE)?;
    exchange.rule.set(Some(found.rule));
    draft.prefix_len = found.prefix_len;
    let rule = exchange.compiled_rule().ok_or(NO_ROUTE)?;
    if let Some(fault) = rule.fault {
        return Err(Refusal::new(Reason::Fault(fault), "the rule cannot be served"));
    }
    if let Some(answer) = apply::request(exchange, &rule.filters, &mut draft)? {
        return Ok(Outcome::Answered(answer));
    }
    let backend = choose_backend(exchange, rule)?;
    if let Some(answer) = apply::request(exchange, &backend.filters, &mut draft)? {
        return Ok(Outcome::Answered(answer));
    }
    let target =
        backend.target.map_err(|fault| Refusal::new(Reason::Fault(fault), "the backend cannot be served"))?;
    let backend =
        gateway.backends.get(target).ok_or(Refusal::new(Reason::NoEndpoint, "the backend is gone"))?;
    let request = draft
        .into_request(RequestBody::from_client(body, exchange))
        .map_err(|_| Refusal::new(Reason::BadPath, "the path cannot be normalised safely"))?;
    forward(exchange, rule, backend, request).await.map(Outcome::Forwarded)
}

const NO_LISTENER: Refusal = Refusal::new(Reason::NoListener, "no listener has this host");
const NO_ROUTE: Refusal = Refusal::new(Reason::NoRoute, "no route matches");

fn find_listener(
    exchange: &Exchange,
    gateway: &GatewaySnapshot,
    authority: &Authority,
) -> Result<ListenerId, Refusal> {
    let host = authority.host();
    if exchange.connection.info.tls.is_none() {
        return gateway.router.http_listener(exchange.connection.info.listener_port, host).ok_or(NO_LISTENER);
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

fn choose_backend<'a>(
    exchange: &Exchange,
    rule: &'a CompiledRule,
) -> Result<&'a super::rule::CompiledBackend, Refusal> {
    let none = Refusal::new(Reason::NoBackend, "the rule has no backend");
    let index = rule.split.next().ok_or(none)?;
    exchange.backend.set(Some(index));
    rule.backends.get(index).ok_or(none)
}
