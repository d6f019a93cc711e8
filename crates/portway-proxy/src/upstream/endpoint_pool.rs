//! The connections of one worker to one endpoint.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::client::conn::{http1, http2};
use portway_config::EndpointAddress;
use tokio::sync::Notify;

use crate::limits::Limits;

use super::body::RequestBody;
use super::resolve::Resolved;

/// The connections of one worker to one endpoint.
#[derive(Debug)]
pub(super) struct EndpointPool {
    pub(super) address: EndpointAddress,
    pub(super) resolved: Resolved,
    /// Idle HTTP/1.1 connections, the most recently used last.
    idle: RefCell<Vec<IdleHttp1>>,
    /// HTTP/2 connections.
    pub(super) http2: RefCell<Vec<Rc<Http2Connection>>>,
    /// Held while an HTTP/2 connection is made, so that a burst makes one.
    pub(super) http2_connecting: tokio::sync::Mutex<()>,
    /// Requests and streams that are under way.
    active: Cell<u32>,
    failures: Cell<u32>,
    ejected_until: Cell<Option<Instant>>,
    /// Set when the endpoint is gone from the backend: no connection comes back to the pool.
    removed: Cell<bool>,
    idle_limit: usize,
}

#[derive(Debug)]
struct IdleHttp1 {
    sender: http1::SendRequest<RequestBody>,
    since: Instant,
}

/// One HTTP/2 connection and the number of its streams.
#[derive(Debug)]
pub(super) struct Http2Connection {
    pub(super) sender: http2::SendRequest<RequestBody>,
    pub(super) streams: Cell<u32>,
    pub(super) idle_since: Cell<Instant>,
}

impl EndpointPool {
    pub(super) fn new(address: EndpointAddress, idle_limit: usize) -> Rc<Self> {
        Rc::new(Self {
            address,
            resolved: Resolved::default(),
            idle: RefCell::default(),
            http2: RefCell::default(),
            http2_connecting: tokio::sync::Mutex::default(),
            active: Cell::new(0),
            failures: Cell::new(0),
            ejected_until: Cell::new(None),
            removed: Cell::new(false),
            idle_limit,
        })
    }

    pub(super) fn active(&self) -> u32 {
        self.active.get()
    }

    /// The idle connection that was used last, if one is younger than `idle_timeout`.
    pub(super) fn take_idle(
        &self,
        now: Instant,
        idle_timeout: Duration,
    ) -> Option<http1::SendRequest<RequestBody>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(connection) = idle.pop() {
            if now.saturating_duration_since(connection.since) >= idle_timeout {
                // All that lie deeper are older still.
                idle.clear();
                return None;
            }
            if !connection.sender.is_closed() {
                return Some(connection.sender);
            }
        }
        None
    }

    fn put_idle(&self, sender: http1::SendRequest<RequestBody>) {
        let mut idle = self.idle.borrow_mut();
        if !self.removed.get() && !sender.is_closed() && idle.len() < self.idle_limit {
            idle.push(IdleHttp1 { sender, since: Instant::now() });
        }
    }

    /// Closes connections that were idle for too long.
    pub(super) fn sweep(&self, now: Instant, idle_timeout: Duration) {
        let old = |since: Instant| now.saturating_duration_since(since) >= idle_timeout;
        self.idle.borrow_mut().retain(|it| !old(it.since) && !it.sender.is_closed());
        self.http2
            .borrow_mut()
            .retain(|it| !it.sender.is_closed() && (it.streams.get() > 0 || !old(it.idle_since.get())));
    }

    /// Drains: idle connections close now, the others when their requests have ended.
    pub(super) fn remove(&self) {
        self.removed.set(true);
        self.idle.borrow_mut().clear();
        self.http2.borrow_mut().clear();
    }

    pub(super) fn is_ejected(&self, now: Instant) -> bool {
        self.ejected_until.get().is_some_and(|until| now < until)
    }

    /// Notes a failure to connect: the endpoint is passed over for a while if there are others.
    pub(super) fn failed(&self, now: Instant, limits: &Limits) {
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        let time = limits.endpoint_ejection.saturating_mul(1 << (failures - 1).min(16));
        let time = time.min(limits.endpoint_ejection_max);
        self.ejected_until.set(Some(now + time));
    }

    /// Notes that a connection was made.
    pub(super) fn succeeded(&self) {
        self.failures.set(0);
        self.ejected_until.set(None);
    }
}

/// Counts a request as under way at its endpoint and backend until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) endpoint: Rc<EndpointPool>,
    slot: Option<ConnectionSlot>,
}

impl InFlight {
    pub(super) fn new(endpoint: Rc<EndpointPool>, slot: Option<ConnectionSlot>) -> Self {
        endpoint.active.set(endpoint.active.get() + 1);
        Self { endpoint, slot }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.endpoint.active.set(self.endpoint.active.get().saturating_sub(1));
        self.slot = None;
    }
}

/// One of the requests that a backend may have at once; the next that waits is woken when it ends.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    pub(super) used: Rc<Cell<usize>>,
    pub(super) freed: Rc<Notify>,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.used.set(self.used.get().saturating_sub(1));
        self.freed.notify_one();
    }
}

/// A connection that a response is being read from.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) in_flight: InFlight,
    pub(super) connection: LeasedConnection,
}

/// The connection of a [`Lease`].
#[derive(Debug)]
pub(super) enum LeasedConnection {
    Http1(http1::SendRequest<RequestBody>),
    /// Held so that the stream is counted.
    Http2 {
        _stream: Http2Stream,
    },
    /// It was upgraded and is nobody's.
    Upgraded,
}

/// Counts a stream of an HTTP/2 connection until it is dropped.
#[derive(Debug)]
pub(super) struct Http2Stream(Rc<Http2Connection>);

impl Http2Stream {
    pub(super) fn new(connection: Rc<Http2Connection>) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        Self(connection)
    }
}

impl Drop for Http2Stream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        self.0.idle_since.set(Instant::now());
    }
}

impl Lease {
    /// The response is complete: an HTTP/1.1 connection may serve the next request.
    pub(super) fn release(self) {
        if let LeasedConnection::Http1(sender) = self.connection {
            self.in_flight.endpoint.put_idle(sender);
        }
    }
}
