//! What the requests of one connection share.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::SystemTime;

use hyper::body::Incoming;
use portway_route::ListenerId;
use tokio::time::Instant;

use super::unread::UnreadBodies;
use crate::http::ConnectionInfo;
use crate::http::current::Current;
use crate::http::forwarded::Neighbour;
use crate::observe::L4Record;
use crate::reason::Reason;
use crate::worker::Worker;

/// A tunnel that a request has become.
type Tunnel = Pin<Box<dyn Future<Output = ()>>>;

/// What the requests of one connection share.
pub(in crate::http) struct ClientConnection {
    pub(in crate::http) info: ConnectionInfo,
    pub(in crate::http) worker: Rc<Worker>,
    pub(in crate::http) neighbour: Neighbour,
    start: SystemTime,
    in_flight: Cell<usize>,
    /// Since when no request has been under way.
    idle_since: Cell<Instant>,
    served: Cell<bool>,
    /// Bytes have come in since the last request began or ended.
    received: Arc<AtomicBool>,
    place: Cell<Option<(u64, Option<Place>)>>,
    /// Generation of the snapshot, host and listener of the last request in clear text: most connections
    /// ask for one host.
    last_listener: RefCell<Option<(u64, Box<str>, ListenerId)>>,
    tunnels: RefCell<Vec<Tunnel>>,
    unread: UnreadBodies,
}

/// Where a snapshot has what the connection belongs to.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Place {
    /// Index of the Gateway.
    pub(in crate::http) gateway: usize,
    /// The HTTPS listener that the handshake was made for, if it is still there.
    pub(in crate::http) tls_listener: Option<ListenerId>,
}

impl ClientConnection {
    pub(super) fn new(info: ConnectionInfo, worker: Rc<Worker>) -> Rc<Self> {
        Rc::new(Self {
            neighbour: Neighbour::new(info.peer.ip(), info.tls.is_some(), info.listener_port),
            info,
            worker,
            start: SystemTime::now(),
            in_flight: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            served: Cell::new(false),
            received: Arc::default(),
            place: Cell::new(None),
            last_listener: RefCell::default(),
            tunnels: RefCell::default(),
            unread: UnreadBodies::default(),
        })
    }

    pub(super) fn received(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.received)
    }

    /// Whether a part of a request's head seems to have come: bytes, while no request is under way.
    pub(super) fn has_partial_head(&self) -> bool {
        self.in_flight.get() == 0 && self.received.load(Ordering::Relaxed)
    }

    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.in_flight.get() == 0).then(|| self.idle_since.get())
    }

    /// Whether a request has ever begun.
    pub(super) fn has_served(&self) -> bool {
        self.served.get()
    }

    /// Finds the connection's Gateway and listener in a snapshot; remembered until the next one.
    pub(in crate::http) fn place(&self, current: &Current) -> Option<Place> {
        match self.place.get() {
            Some((generation, place)) if generation == current.generation => place,
            _ => {
                let place = self.find_place(current);
                self.place.set(Some((current.generation, place)));
                place
            }
        }
    }

    /// The listener that `find` finds for a host in a snapshot; that of the last request is remembered.
    pub(in crate::http) fn listener(
        &self,
        current: &Current,
        host: &str,
        find: impl FnOnce() -> Option<ListenerId>,
    ) -> Option<ListenerId> {
        let mut last = self.last_listener.borrow_mut();
        match &*last {
            Some((generation, known, listener)) if *generation == current.generation && **known == *host => {
                Some(*listener)
            }
            _ => {
                let found = find()?;
                *last = Some((current.generation, host.into(), found));
                Some(found)
            }
        }
    }

    fn find_place(&self, current: &Current) -> Option<Place> {
        let gateways = &current.snapshot.gateways;
        let gateway = gateways.iter().position(|it| it.configuration.gateway == self.info.gateway)?;
        let tls_listener = self.info.tls.as_ref().and_then(|tls| {
            let listeners = gateways.get(gateway)?.router.listeners();
            let position = listeners.iter().position(|it| it.key == tls.listener)?;
            Some(ListenerId(u32::try_from(position).ok()?))
        });
        Some(Place { gateway, tls_listener })
    }

    /// A request begins.
    pub(in crate::http) fn begin_request(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
        self.served.set(true);
        self.received.store(false, Ordering::Relaxed);
    }

    /// A request has ended, its response with it.
    pub(in crate::http) fn end_request(&self, now: Instant) {
        let left = self.in_flight.get().saturating_sub(1);
        self.in_flight.set(left);
        if left == 0 {
            self.idle_since.set(now);
            self.received.store(false, Ordering::Relaxed);
        }
    }

    /// Keeps a tunnel, to be run when hyper is done with the connection.
    pub(in crate::http) fn keep_tunnel(&self, tunnel: Tunnel) {
        self.tunnels.borrow_mut().push(tunnel);
    }

    /// Reads the rest of a body that nobody wants any more, within limits.
    pub(in crate::http) fn read_to_its_end(&self, body: Incoming) {
        self.unread.add(body, &self.worker.limits);
    }

    /// Reads on in such bodies. Whether hyper has something to do for it: one has come to its end.
    pub(super) fn poll_unread(&self, context: &mut Context<'_>) -> bool {
        let ended = self.unread.poll(context);
        if ended && self.in_flight.get() == 0 {
            // What came in was no head of another request.
            self.idle_since.set(Instant::now());
            self.received.store(false, Ordering::Relaxed);
        }
        ended
    }

    pub(super) fn take_tunnels(&self) -> Vec<Tunnel> {
        self.tunnels.take()
    }

    /// Records what hyper has refused before there was a request.
    pub(super) fn record_failure(&self, error: &hyper::Error) {
        let reason = if error.is_parse_too_large() {
            Reason::HeadersTooLarge
        } else if error.is_parse() {
            Reason::BadRequest
        } else {
            // A connection that ended under a request stands in the record of the request.
            return;
        };
        tracing::debug!(peer = %self.info.peer, %error, "connection refused");
        // hyper has answered by itself, with a head and nothing else, if it had not begun another answer.
        self.record_refusal(reason, Some(reason.status()));
    }

    /// Records that the connection was refused before there was a request, and the status that went out, if one did.
    pub(super) fn record_refusal(&self, reason: Reason, status: Option<u16>) {
        self.worker.recorder.connection(&L4Record {
            start: self.start,
            revision: self.worker.snapshot.load().revision,
            gateway: self.info.gateway.clone(),
            protocol: "http",
            listener: self.info.tls.as_ref().map(|tls| tls.listener.clone()),
            route: None,
            backend: None,
            endpoint: None,
            peer: self.info.peer,
            server_name: self.info.tls.as_ref().and_then(|tls| tls.server_name.as_deref().map(Into::into)),
            reason: Some(reason),
            status,
            received_bytes: 0,
            sent_bytes: 0,
            total: self.start.elapsed().unwrap_or_default(),
        });
    }
}
