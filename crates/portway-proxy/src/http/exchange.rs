//! One request and its response, from the head to the record.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use http::request::Parts;
use http::{HeaderValue, Method, Uri, Version, header};
use hyper::body::{Body, Incoming};
use portway_config::EndpointAddress;
use portway_route::{ListenerId, RuleId};

use super::current::{Current, current};
use super::fields::X_REQUEST_ID;
use super::filter::cors::CrossOrigin;
use super::filter::header_change::HeaderChange;
use super::random;
use super::request_id::RequestId;
use super::rule::{CompiledBackend, CompiledRule};
use super::server::{ClientConnection, Place};
use crate::observe::RequestRecord;
use crate::observe::record::{ServedBy, Timing};
use crate::reason::Reason;
use crate::snapshot::GatewaySnapshot;

/// One request and its response. What is learnt on the way is noted here, and recorded at the end.
pub(crate) struct Exchange {
    pub(super) connection: Rc<ClientConnection>,
    current: Rc<Current>,
    place: Option<Place>,
    pub(super) start: SystemTime,
    pub(super) begun: Instant,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    version: Version,
    pub(super) request_id: RequestId,
    /// The client waits to be told to send its body (RFC 9110, section 10.1.1).
    pub(super) expects_continue: Cell<bool>,
    /// The connection cannot be used again: too much of the request is left unread.
    spent: Cell<bool>,
    pub(super) grpc: Cell<bool>,
    pub(super) client: Cell<IpAddr>,
    pub(super) listener: Cell<Option<ListenerId>>,
    pub(super) rule: Cell<Option<RuleId>>,
    /// Index among the rule's backends.
    pub(super) backend: Cell<Option<usize>>,
    pub(super) cross_origin: OnceCell<Box<CrossOrigin>>,
    /// What authorization servers change of the response's headers, and what a session adds.
    pub(super) response_changes: RefCell<Vec<HeaderChange>>,
    /// The endpoint that the client's session is to come back to.
    pub(super) preferred: OnceCell<EndpointAddress>,
    pub(super) endpoint: Cell<Option<SocketAddr>>,
    pub(super) attempts: Cell<u32>,
    pub(super) status: Cell<u16>,
    reason: Cell<Option<Reason>>,
    /// What exactly went wrong, where more is known than the reason.
    cause: RefCell<Option<Box<str>>>,
    pub(super) request_bytes: Cell<u64>,
    pub(super) response_bytes: Cell<u64>,
    pub(super) connect: Cell<Duration>,
    pub(super) upstream: Cell<Duration>,
    /// From the beginning until the head of the response.
    head: Cell<Duration>,
    /// The response was handed on to its last byte.
    pub(super) complete: Cell<bool>,
}

impl Exchange {
    /// Begins with the head of a request, as it came.
    pub(super) fn begin(connection: Rc<ClientConnection>, parts: &Parts) -> Rc<Self> {
        let current = current(&connection.worker.snapshot);
        let place = connection.place(&current);
        connection.begin_request();
        let mut exchange = Self {
            start: SystemTime::now(),
            begun: Instant::now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            host: parts.headers.get(header::HOST).cloned(),
            user_agent: parts.headers.get(header::USER_AGENT).cloned(),
            version: parts.version,
            request_id: RequestId::from_random(random::next_u64(), random::next_u64()),
            expects_continue: Cell::new(false),
            spent: Cell::new(false),
            grpc: Cell::new(false),
            client: Cell::new(connection.info.peer.ip().to_canonical()),
            listener: Cell::new(None),
            rule: Cell::new(None),
            backend: Cell::new(None),
            cross_origin: OnceCell::new(),
            response_changes: RefCell::default(),
            preferred: OnceCell::new(),
            endpoint: Cell::new(None),
            attempts: Cell::new(0),
            status: Cell::new(0),
            reason: Cell::new(None),
            cause: RefCell::default(),
            request_bytes: Cell::new(0),
            response_bytes: Cell::new(0),
            connect: Cell::new(Duration::ZERO),
            upstream: Cell::new(Duration::ZERO),
            head: Cell::new(Duration::ZERO),
            complete: Cell::new(false),
            connection,
            current,
            place,
        };
        if exchange.trusted_hops() > 0
            && let Some(given) = parts.headers.get(X_REQUEST_ID).and_then(RequestId::given)
        {
            exchange.request_id = given;
        }
        Rc::new(exchange)
    }

    /// The Gateway; absent when the current configuration has it no more.
    pub(super) fn gateway(&self) -> Option<&GatewaySnapshot> {
        self.current.snapshot.gateways.get(self.place?.gateway).map(AsRef::as_ref)
    }

    /// The listener that has a host, on a connection in clear text.
    pub(super) fn clear_text_listener(&self, host: &str) -> Option<ListenerId> {
        let find = || self.gateway()?.router.http_listener(self.connection.info.listener_port, host);
        self.connection.listener(&self.current, host, find)
    }

    /// The HTTPS listener that the connection was made for.
    pub(super) fn tls_listener(&self) -> Option<ListenerId> {
        self.place?.tls_listener
    }

    pub(super) fn compiled_rule(&self) -> Option<&CompiledRule> {
        self.gateway()?.rules.get(self.rule.get()?.0 as usize).map(|rule| &**rule)
    }

    pub(super) fn compiled_backend(&self) -> Option<&CompiledBackend> {
        self.compiled_rule()?.backends.get(self.backend.get()?)
    }

    pub(super) fn trusted_hops(&self) -> u8 {
        self.gateway().map_or(0, |gateway| gateway.configuration.settings.trusted_hops)
    }

    /// Gives up the rest of the request's body. It is read, so that the client gets the answer and can use
    /// its connection again; not if to read would ask for it, though.
    pub(super) fn leave_unread(&self, body: Incoming) {
        if self.ends_connection() {
            return;
        }
        let is_asked_for = !self.expects_continue.get() || self.request_bytes.get() > 0;
        let limit = self.connection.worker.limits.unread_body_bytes as u64;
        self.spent.set(!is_asked_for || body.size_hint().lower() > limit);
        if is_asked_for {
            self.connection.read_to_its_end(body);
        }
    }

    /// Notes that the request is malformed: where its body ends may not be where its client means.
    pub(super) fn distrust_framing(&self) {
        self.spent.set(true);
    }

    /// Whether the answer has to say that its connection ends with it (RFC 9112, section 9.6). HTTP/2 ends no
    /// more than the stream.
    pub(super) fn ends_connection(&self) -> bool {
        self.spent.get() && self.version < Version::HTTP_2
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Notes why Portway answers by itself or ends the request early. The first reason stays.
    pub(super) fn blame(&self, reason: Reason) {
        if self.reason.get().is_none() {
            self.reason.set(Some(reason));
        }
    }

    /// Notes what exactly went wrong, for the log. The last one stays: it is that of the last attempt.
    pub(super) fn explain(&self, cause: impl Into<Box<str>>) {
        self.cause.replace(Some(cause.into()));
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        self.reason.get()
    }

    /// Notes that the head of the response is ready.
    pub(super) fn answered(&self, status: u16) {
        self.status.set(status);
        self.head.set(self.begun.elapsed());
    }

    pub(super) fn add_request_bytes(&self, bytes: usize) {
        self.request_bytes.set(self.request_bytes.get() + bytes as u64);
    }

    pub(super) fn add_response_bytes(&self, bytes: usize) {
        self.response_bytes.set(self.response_bytes.get() + bytes as u64);
    }

    fn record(&self, now: Instant) {
        if !self.complete.get() {
            self.blame(Reason::ClientGone);
        }
        let gateway = self.gateway();
        let entry = gateway.and_then(|it| it.router.rules().get(self.rule.get()?.0 as usize));
        let listener = gateway.and_then(|it| it.router.listeners().get(self.listener.get()?.0 as usize));
        let total = now.saturating_duration_since(self.begun);
        let cause = self.cause.borrow();
        let head = if self.status.get() == 0 { total } else { self.head.get() };
        self.connection.worker.recorder.request(&RequestRecord {
            start: self.start,
            served_by: self.served_by(),
            revision: self.current.snapshot.revision,
            gateway: &self.connection.info.gateway,
            listener: listener.map(|listener| &listener.key),
            route: entry.map(|entry| &entry.route.key),
            rule: entry.map(|entry| (entry.rule().index, entry.rule().name.as_deref())),
            backend: self.compiled_backend().and_then(|backend| backend.key.as_ref()),
            endpoint: self.endpoint.get(),
            attempts: self.attempts.get(),
            peer: self.connection.info.peer,
            client: self.client.get(),
            version: self.version,
            method: &self.method,
            scheme: if self.connection.info.tls.is_some() { "https" } else { "http" },
            authority: self.authority(),
            target: self.uri.path_and_query().map_or("", |target| target.as_str()),
            request_id: self.request_id.as_str(),
            user_agent: self.user_agent.as_ref().and_then(|value| value.to_str().ok()),
            status: self.status.get(),
            reason: self.reason.get(),
            // An attempt that failed before another succeeded has no reason.
            cause: cause.as_deref().filter(|_| self.reason.get().is_some()),
            request_bytes: self.request_bytes.get(),
            response_bytes: self.response_bytes.get(),
            timing: Timing {
                total,
                connect: self.connect.get(),
                upstream: self.upstream.get(),
                own: head.saturating_sub(self.connect.get() + self.upstream.get()),
            },
        });
    }

    fn served_by(&self) -> Option<ServedBy> {
        Some(ServedBy {
            generation: self.current.generation,
            gateway: self.place?.gateway,
            listener: self.listener.get(),
            rule: self.rule.get(),
            backend: self.backend.get(),
        })
    }

    /// As the client wrote it.
    fn authority(&self) -> &str {
        match (self.uri.authority(), &self.host) {
            (Some(authority), _) => authority.as_str(),
            (None, Some(host)) => host.to_str().unwrap_or_default(),
            (None, None) => "",
        }
    }
}

/// Records an exchange once: when it is dropped, which is when the response has ended or nobody waits
/// for it any more.
pub(super) struct Recording(pub(super) Rc<Exchange>);

impl Drop for Recording {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.record(now);
        self.0.connection.end_request(now.into());
    }
}
