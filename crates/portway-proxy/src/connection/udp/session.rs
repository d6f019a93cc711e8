//! Sessions: which client's datagrams go to which endpoint.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::socket::MsgFlags;
use portway_config::route::BackendTarget;
use portway_config::{BackendKey, Configuration, EndpointAddress, Revision};
use portway_route::L4RuleId;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::LARGEST_DATAGRAM;
use super::socket::{ClientSocket, Flow};
use crate::connection::accept::Port;
use crate::connection::drain::DrainTrigger;
use crate::connection::record::Recording;
use crate::connection::relay::Counts;
use crate::connection::serve::{Accepted, Downstream};
use crate::reason::Reason;
use crate::snapshot::GatewaySnapshot;
use crate::worker::Worker;

/// The sessions of one port.
pub(super) struct Sessions {
    socket: Rc<ClientSocket>,
    port: Rc<Port>,
    downstream: Rc<Downstream>,
    by_flow: Rc<RefCell<HashMap<Flow, Rc<Session>>>>,
    /// Datagrams of all sessions pass through here.
    scratch: Rc<RefCell<Box<[u8]>>>,
}

impl Sessions {
    pub(super) fn new(socket: Rc<ClientSocket>, port: Rc<Port>, downstream: Rc<Downstream>) -> Self {
        let scratch = Rc::new(RefCell::new(vec![0; LARGEST_DATAGRAM].into()));
        Self { socket, port, downstream, by_flow: Rc::default(), scratch }
    }

    /// Takes a datagram of a client.
    pub(super) fn forward(&self, datagram: &[u8], flow: Flow) {
        let session = self.by_flow.borrow().get(&flow).cloned();
        match session {
            Some(session) if session.is_current(&self.port, &self.downstream.worker) => {
                session.forward(datagram, &self.downstream);
            }
            Some(outdated) => {
                outdated.stop.drain();
                self.begin(datagram, flow);
            }
            None => self.begin(datagram, flow),
        }
    }

    fn begin(&self, datagram: &[u8], flow: Flow) {
        let accepted = Accepted::new(&self.downstream, flow.peer, &self.port);
        let mut recording = accepted.recording("udp");
        let Some(open) = self.downstream.open_udp_session() else {
            return recording.end(Some(Reason::Overload));
        };
        let session = Rc::new(Session {
            flow,
            revision: Cell::new(self.downstream.worker.snapshot.load().revision),
            backend: OnceCell::new(),
            upstream: OnceCell::new(),
            pending: RefCell::default(),
            last: Cell::new(Instant::now()),
            counts: recording.counts(),
            stop: DrainTrigger::default(),
        });
        session.forward(datagram, &self.downstream);
        let listed = Listed::new(&self.by_flow, &session);
        let (socket, scratch) = (Rc::clone(&self.socket), Rc::clone(&self.scratch));
        let port = Rc::clone(&self.port);
        self.port.tenure().group.spawn(async move {
            let _open = open;
            let session = &listed.session;
            let mut stopped = session.stop.signal();
            let mut drained = accepted.port_drain();
            let reason = tokio::select! {
                biased;
                // Another session of the same client has taken its place.
                () = stopped.drained() => None,
                () = drained.drained() => Some(Reason::Draining),
                reason = session.serve(&accepted, &port, &socket, &scratch, &mut recording) => reason,
            };
            recording.end(reason);
        });
    }
}

/// Keeps a session in the table for as long as it lives.
struct Listed {
    by_flow: Rc<RefCell<HashMap<Flow, Rc<Session>>>>,
    session: Rc<Session>,
}

impl Listed {
    fn new(by_flow: &Rc<RefCell<HashMap<Flow, Rc<Session>>>>, session: &Rc<Session>) -> Self {
        by_flow.borrow_mut().insert(session.flow, Rc::clone(session));
        Self { by_flow: Rc::clone(by_flow), session: Rc::clone(session) }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut by_flow = self.by_flow.borrow_mut();
        // A newer session may have taken its place.
        if by_flow.get(&self.session.flow).is_some_and(|it| Rc::ptr_eq(it, &self.session)) {
            by_flow.remove(&self.session.flow);
        }
    }
}

/// One client's session with an endpoint.
struct Session {
    flow: Flow,
    /// The newest configuration that it is known to be in accordance with.
    revision: Cell<Revision>,
    backend: OnceCell<BackendKey>,
    /// Connected to the endpoint; absent while that is being found.
    upstream: OnceCell<UdpSocket>,
    /// Datagrams that wait for it.
    pending: RefCell<Vec<Box<[u8]>>>,
    /// When a datagram last went either way.
    last: Cell<Instant>,
    counts: Rc<Counts>,
    stop: DrainTrigger,
}

impl Session {
    /// Takes a datagram of the client.
    fn forward(&self, datagram: &[u8], downstream: &Downstream) {
        self.last.set(Instant::now());
        self.counts.received.set(self.counts.received.get() + datagram.len() as u64);
        match self.upstream.get() {
            // Lost when the socket's buffer is full, as it might be anywhere on its way. Errors of the
            // endpoint are seen when receiving.
            Some(upstream) => drop(upstream.try_send(datagram)),
            None => {
                let mut pending = self.pending.borrow_mut();
                if pending.len() < downstream.worker.limits.udp_pending_datagrams {
                    pending.push(datagram.into());
                }
            }
        }
    }

    /// Serves until the session ends; returns why it ended early, if it did.
    async fn serve(
        &self,
        accepted: &Accepted,
        port: &Port,
        client: &ClientSocket,
        scratch: &RefCell<Box<[u8]>>,
        recording: &mut Recording,
    ) -> Option<Reason> {
        match self.connect(accepted, recording).await {
            Ok(upstream) => {
                self.send_pending(&upstream).await;
                let upstream = self.upstream.get_or_init(|| upstream);
                let idle = accepted.limits().udp_session_timeout;
                tokio::select! {
                    ended = self.receive(upstream, accepted, port, client, scratch) => {
                        let Err(error) = ended else { return None };
                        tracing::debug!(peer = %self.flow.peer, %error, "UDP session ended");
                        Some(Reason::UpstreamReset)
                    }
                    () = self.silent_for(idle) => None,
                }
            }
            Err(reason) => {
                // Remembered for a while, so that not each datagram makes a line in the log.
                tokio::time::sleep(accepted.limits().udp_refusal).await;
                Some(reason)
            }
        }
    }

    /// Sends what came while the endpoint was being found, in its order.
    async fn send_pending(&self, upstream: &UdpSocket) {
        loop {
            // More may come while these are sent; nothing can between the last look and the return.
            let pending = self.pending.take();
            if pending.is_empty() {
                return;
            }
            for datagram in pending {
                // Errors of the endpoint are seen when receiving.
                let _ = upstream.send(&datagram).await;
            }
        }
    }

    async fn connect(&self, accepted: &Accepted, recording: &mut Recording) -> Result<UdpSocket, Reason> {
        let gateway = accepted.gateway().ok_or(Reason::NoListener)?;
        let listener = gateway.ports.udp(accepted.owner.listener_port).ok_or(Reason::NoListener)?;
        recording.listener(&gateway.router.listener(listener).key);
        let rule = gateway.router.l4_rule(listener).ok_or(Reason::NoRoute)?;
        if let Some(entry) = gateway.router.l4_rules().get(rule.0 as usize) {
            recording.route(&entry.route.key);
        }
        let backend = gateway.choose_backend(rule)?;
        recording.backend(&backend.key);
        let _ = self.backend.set(backend.key.clone());
        drop(gateway);
        let endpoint = accepted.worker().upstream.choose_endpoint(&backend).await.map_err(|error| {
            tracing::debug!(peer = %self.flow.peer, %error, "no endpoint for a UDP session");
            error.reason
        })?;
        recording.endpoint(Some(endpoint));
        open(endpoint).await.map_err(|error| {
            tracing::warn!(%endpoint, %error, "no socket for a UDP session");
            Reason::ConnectFailed
        })
    }

    /// Forwards datagrams of the endpoint until its socket fails, or it is the client's endpoint no longer.
    async fn receive(
        &self,
        upstream: &UdpSocket,
        accepted: &Accepted,
        port: &Port,
        client: &ClientSocket,
        scratch: &RefCell<Box<[u8]>>,
    ) -> io::Result<()> {
        // That the endpoint refuses (ICMP) comes as an error alone, which is not "readable".
        let interest = Interest::READABLE | Interest::ERROR;
        loop {
            upstream.async_io(interest, || self.pass_on(upstream, client, scratch)).await?;
            if !self.is_current(port, accepted.worker()) {
                return Ok(());
            }
        }
    }

    /// Passes one datagram of the endpoint on to the client.
    fn pass_on(
        &self,
        upstream: &UdpSocket,
        client: &ClientSocket,
        scratch: &RefCell<Box<[u8]>>,
    ) -> io::Result<()> {
        let mut scratch = scratch.borrow_mut();
        let length = nix::sys::socket::recv(upstream.as_raw_fd(), &mut scratch, MsgFlags::empty())?;
        let datagram = scratch.get(..length).unwrap_or_default();
        self.last.set(Instant::now());
        self.counts.sent.set(self.counts.sent.get() + datagram.len() as u64);
        if let Err(error) = client.send(datagram, &self.flow) {
            tracing::debug!(peer = %self.flow.peer, %error, "a datagram to a client was lost");
        }
        Ok(())
    }

    async fn silent_for(&self, idle: Duration) {
        loop {
            let due = self.last.get() + idle;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }

    /// Whether the configuration of now would still send the client there. A client that is never silent
    /// would otherwise write to an endpoint that is gone for ever.
    fn is_current(&self, port: &Port, worker: &Worker) -> bool {
        let snapshot = worker.snapshot.load();
        if snapshot.revision == self.revision.get() {
            return true;
        }
        let owner = port.tenure().owner;
        let current = snapshot.gateway(&owner.gateway).is_some_and(|gateway| {
            let rule = gateway.ports.udp(owner.listener_port).and_then(|it| gateway.router.l4_rule(it));
            rule.is_some_and(|rule| self.would_be_chosen(gateway, rule))
        });
        if current {
            self.revision.set(snapshot.revision);
        }
        current
    }

    fn would_be_chosen(&self, gateway: &GatewaySnapshot, rule: L4RuleId) -> bool {
        let (Some(entry), Some(backend), Some(upstream)) =
            (gateway.router.l4_rules().get(rule.0 as usize), self.backend.get(), self.upstream.get())
        else {
            return false;
        };
        let is_target =
            entry.rule().backends.iter().any(
                |it| matches!(&it.target, BackendTarget::Backend(key) if key == backend && it.weight > 0),
            );
        let endpoint = upstream.peer_addr().ok();
        is_target && endpoint.is_some_and(|it| is_endpoint(&gateway.configuration, backend, it))
    }
}

fn is_endpoint(configuration: &Configuration, backend: &BackendKey, address: SocketAddr) -> bool {
    configuration.endpoints.get(&backend.endpoints).is_some_and(|it| {
        it.endpoints.iter().any(|endpoint| match &endpoint.address {
            EndpointAddress::Socket(socket) => *socket == address,
            // What a name resolves to may change at any time; the session stays where it is.
            EndpointAddress::Dns { .. } => true,
        })
    })
}

async fn open(endpoint: SocketAddr) -> io::Result<UdpSocket> {
    let any = match endpoint {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(endpoint).await?;
    Ok(socket)
}
