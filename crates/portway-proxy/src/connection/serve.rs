//! What becomes of a connection that was accepted.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use portway_config::ListenerKey;
use portway_route::ListenerId;
use tokio::net::TcpStream;

use super::accept::{Owner, Port};
use super::drain::{DrainSignal, DrainTrigger};
use super::ebb::Ebb;
use super::handshake;
use super::record::Recording;
use super::tunnel::{self, Reset};
use crate::http::{self, ConnectionInfo};
use crate::limits::Limits;
use crate::observe::L4Record;
use crate::reason::Reason;
use crate::snapshot::{GatewaySnapshot, TcpPort};
use crate::upstream::Encrypted;
use crate::worker::Worker;

/// The downstream side of a worker.
#[derive(Debug)]
pub(crate) struct Downstream {
    pub(crate) worker: Rc<Worker>,
    /// Connections that are open.
    open: Cell<usize>,
    ebb: Ebb,
    /// UDP sessions that are open.
    udp_sessions: Cell<usize>,
    /// Ends connections of a listener that goes away or changes its nature while its port stays.
    listeners: RefCell<HashMap<ListenerKey, DrainTrigger>>,
    /// Bytes of tunnels pass through here.
    scratch: RefCell<Box<[u8]>>,
}

impl Downstream {
    pub(crate) fn new(worker: Rc<Worker>) -> Rc<Self> {
        let scratch = vec![0; worker.limits.tunnel_buffer_bytes.max(1)].into();
        Rc::new(Self {
            worker,
            open: Cell::default(),
            ebb: Ebb::default(),
            udp_sessions: Cell::default(),
            listeners: RefCell::default(),
            scratch: RefCell::new(scratch),
        })
    }

    /// Takes a connection that was accepted on `port`.
    pub(crate) fn take(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr, port: &Rc<Port>) {
        let accepted = Accepted::new(self, peer, port);
        if self.open.get() >= self.worker.limits.downstream_connections {
            return accepted.refuse(Reason::Overload);
        }
        let open = Open::new(self, |downstream| &downstream.open);
        self.ebb.rose_to(self.open.get());
        port.tenure().group.spawn(async move {
            let open = open;
            serve(stream, accepted).await;
            let downstream = Rc::clone(&open.downstream);
            drop(open);
            downstream.ebb.fell_to(downstream.open.get());
        });
    }

    /// Gives memory back to the system after each peak of connections. Does not end.
    pub(crate) async fn give_memory_back(self: Rc<Self>) {
        self.ebb.after_each(&self.open, portway_allocator::give_back).await;
    }

    /// Counts a UDP session; None when there are too many.
    pub(super) fn open_udp_session(self: &Rc<Self>) -> Option<Open> {
        let free = self.udp_sessions.get() < self.worker.limits.udp_sessions;
        free.then(|| Open::new(self, |downstream| &downstream.udp_sessions))
    }

    /// Asks the connections of a listener to end.
    pub(crate) fn drain_listener(&self, listener: &ListenerKey) {
        if let Some(trigger) = self.listeners.borrow_mut().remove(listener) {
            trigger.drain();
        }
    }

    fn listener(&self, listener: &ListenerKey) -> DrainTrigger {
        if let Some(trigger) = self.listeners.borrow().get(listener) {
            return trigger.clone();
        }
        self.listeners.borrow_mut().entry(listener.clone()).or_default().clone()
    }
}

/// Counts a connection or session for as long as it lives.
pub(super) struct Open {
    downstream: Rc<Downstream>,
    count: fn(&Downstream) -> &Cell<usize>,
}

impl Open {
    fn new(downstream: &Rc<Downstream>, count: fn(&Downstream) -> &Cell<usize>) -> Self {
        count(downstream).set(count(downstream).get() + 1);
        Self { downstream: Rc::clone(downstream), count }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let count = (self.count)(&self.downstream);
        count.set(count.get() - 1);
    }
}

/// What is known of every accepted connection, or UDP session.
pub(super) struct Accepted {
    start: SystemTime,
    began: Instant,
    pub(super) peer: SocketAddr,
    bound: SocketAddr,
    pub(super) owner: Rc<Owner>,
    drain: DrainSignal,
    downstream: Rc<Downstream>,
}

impl Accepted {
    pub(super) fn new(downstream: &Rc<Downstream>, peer: SocketAddr, port: &Port) -> Self {
        let tenure = port.tenure();
        Self {
            start: SystemTime::now(),
            began: Instant::now(),
            peer: canonical(peer),
            bound: port.address(),
            owner: tenure.owner,
            drain: tenure.group.signal(),
            downstream: Rc::clone(downstream),
        }
    }

    pub(super) fn worker(&self) -> &Rc<Worker> {
        &self.downstream.worker
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.worker().limits
    }

    pub(super) fn scratch(&self) -> &RefCell<Box<[u8]>> {
        &self.downstream.scratch
    }

    /// When it was accepted.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// The compiled configuration that serves it now. None: the Gateway is gone.
    pub(super) fn gateway(&self) -> Option<Arc<GatewaySnapshot>> {
        self.worker().snapshot.load().gateway(&self.owner.gateway).cloned()
    }

    /// The signal to end, for a connection of this listener.
    pub(super) fn drain(&self, listener: &ListenerKey) -> DrainSignal {
        self.drain.clone().or(&self.downstream.listener(listener))
    }

    /// The signal to end, whatever the listener.
    pub(super) fn port_drain(&self) -> DrainSignal {
        self.drain.clone()
    }

    pub(super) fn info(&self, stream: &TcpStream) -> ConnectionInfo {
        // Only a wildcard leaves open which address the client spoke to; else save the system call.
        let local = match self.bound.ip().is_unspecified() {
            true => stream.local_addr().map_or(self.bound, canonical),
            false => self.bound,
        };
        ConnectionInfo {
            gateway: self.owner.gateway.clone(),
            listener_port: self.owner.listener_port,
            peer: self.peer,
            local,
            tls: None,
        }
    }

    /// Begins a record with what is known so far.
    pub(super) fn recording(&self, protocol: &'static str) -> Recording {
        let record = L4Record {
            start: self.start,
            revision: self.worker().snapshot.load().revision,
            gateway: self.owner.gateway.clone(),
            protocol,
            listener: None,
            route: None,
            backend: None,
            endpoint: None,
            peer: self.peer,
            server_name: None,
            reason: None,
            status: None,
            received_bytes: 0,
            sent_bytes: 0,
            total: self.began.elapsed(),
        };
        Recording::new(Rc::clone(self.worker()), self.began, record)
    }

    fn refuse(&self, reason: Reason) {
        self.recording("tcp").end(Some(reason));
    }
}

async fn serve(stream: TcpStream, accepted: Accepted) {
    let Some(gateway) = accepted.gateway() else {
        // The Gateway has gone while the connection waited to be accepted.
        return accepted.refuse(Reason::NoListener);
    };
    match gateway.ports.tcp(accepted.owner.listener_port) {
        Some(TcpPort::Http) => {
            drop(gateway);
            let info = accepted.info(&stream);
            let Accepted { downstream, drain, .. } = accepted;
            // Boxed, so that the task of a connection has not the size of the largest kind, several times.
            Box::pin(http::serve(stream, info, Rc::clone(&downstream.worker), drain)).await;
        }
        Some(TcpPort::Tls) => {
            drop(gateway);
            Box::pin(handshake::serve(stream, accepted)).await;
        }
        Some(TcpPort::Tcp(listener)) => Box::pin(serve_tcp(stream, listener, gateway, accepted)).await,
        None => accepted.refuse(Reason::NoListener),
    }
}

async fn serve_tcp(
    stream: TcpStream,
    listener: ListenerId,
    gateway: Arc<GatewaySnapshot>,
    accepted: Accepted,
) {
    let mut recording = accepted.recording("tcp");
    let key = gateway.router.listener(listener).key.clone();
    recording.listener(&key);
    let Some(rule) = gateway.router.l4_rule(listener) else {
        stream.reset();
        return recording.end(Some(Reason::NoRoute));
    };
    let drain = accepted.drain(&key);
    let tunnel =
        tunnel::tunnel(stream, &[], Encrypted::ByBackendSettings, rule, gateway, &accepted, recording);
    cut_when_drained(tunnel, drain, accepted.limits()).await;
}

/// Drops `connection` when the signal to end has come and it has not ended within the grace after it.
pub(super) async fn cut_when_drained(
    connection: impl Future<Output = ()>,
    mut drain: DrainSignal,
    limits: &Limits,
) {
    tokio::select! {
        biased;
        () = connection => {}
        () = async {
            drain.drained().await;
            tokio::time::sleep(limits.drain_timeout).await;
        } => {}
    }
}

/// A dual-stack socket reports IPv4 peers as mapped into IPv6; nobody expects that in a log or a header.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F>(_: impl FnOnce(TcpStream, Accepted) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_a_connection_is_small() {
        assert!(size(serve) <= 512, "{} bytes", size(serve));
    }
}
