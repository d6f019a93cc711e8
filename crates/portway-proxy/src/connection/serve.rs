//! What becomes of a connection that was accepted.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::net::TcpStream;

use super::accept::{Owner, Port};
use super::drain::DrainSignal;
use crate::Snapshot;
use crate::http::{self, ConnectionInfo};
use crate::observe::L4Record;
use crate::reason::Reason;
use crate::snapshot::{GatewaySnapshot, TcpPort};
use crate::worker::Worker;

/// The downstream side of a worker.
#[derive(Debug)]
pub(crate) struct Downstream {
    pub(crate) worker: Rc<Worker>,
    open: Cell<usize>,
}

impl Downstream {
    pub(crate) fn new(worker: Rc<Worker>) -> Rc<Self> {
        Rc::new(Self { worker, open: Cell::new(0) })
    }

    /// Takes a connection that was accepted on `port`.
    pub(crate) fn take(self: &Rc<Self>, stream: TcpStream, peer: SocketAddr, port: &Rc<Port>) {
        let tenure = port.tenure();
        let accepted = Accepted {
            start: SystemTime::now(),
            began: Instant::now(),
            peer: canonical(peer),
            owner: tenure.owner,
            drain: tenure.group.signal(),
            worker: Rc::clone(&self.worker),
        };
        if self.open.get() >= self.worker.limits.downstream_connections {
            let mut record = accepted.record("tcp", &self.worker.snapshot.load());
            record.reason = Some(Reason::Overload);
            self.worker.recorder.connection(&record);
            return;
        }
        let open = Open::new(self);
        let local = port.address();
        tenure.group.spawn(async move {
            let _open = open;
            serve(stream, local, accepted).await;
        });
    }
}

/// Counts a connection for as long as it lives.
struct Open(Rc<Downstream>);

impl Open {
    fn new(downstream: &Rc<Downstream>) -> Self {
        downstream.open.set(downstream.open.get() + 1);
        Self(Rc::clone(downstream))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

/// What is known of every accepted connection.
pub(crate) struct Accepted {
    pub(crate) start: SystemTime,
    pub(crate) began: Instant,
    pub(crate) peer: SocketAddr,
    pub(crate) owner: Rc<Owner>,
    pub(crate) drain: DrainSignal,
    pub(crate) worker: Rc<Worker>,
}

impl Accepted {
    /// A record of this connection with what is known at its beginning.
    pub(crate) fn record(&self, protocol: &'static str, snapshot: &Snapshot) -> L4Record {
        L4Record {
            start: self.start,
            revision: snapshot.revision,
            gateway: self.owner.gateway.clone(),
            protocol,
            listener: None,
            route: None,
            backend: None,
            endpoint: None,
            peer: self.peer,
            server_name: None,
            reason: None,
            received_bytes: 0,
            sent_bytes: 0,
            total: self.began.elapsed(),
        }
    }

    fn refuse(&self, snapshot: &Snapshot, reason: Reason) {
        let mut record = self.record("tcp", snapshot);
        record.reason = Some(reason);
        self.worker.recorder.connection(&record);
    }
}

async fn serve(stream: TcpStream, bound: SocketAddr, accepted: Accepted) {
    let snapshot = accepted.worker.snapshot.load_full();
    let Some(gateway) = snapshot.gateway(&accepted.owner.gateway) else {
        // The Gateway has gone while the connection waited to be accepted.
        return accepted.refuse(&snapshot, Reason::NoListener);
    };
    let gateway: Arc<GatewaySnapshot> = Arc::clone(gateway);
    match gateway.ports.tcp(accepted.owner.listener_port) {
        Some(TcpPort::Http) => {
            drop((snapshot, gateway));
            let info = connection_info(&stream, bound, &accepted);
            http::serve(stream, info, accepted.worker, accepted.drain).await;
        }
        Some(TcpPort::Tls | TcpPort::Tcp(_)) | None => accepted.refuse(&snapshot, Reason::NoListener),
    }
}

pub(crate) fn connection_info(stream: &TcpStream, bound: SocketAddr, accepted: &Accepted) -> ConnectionInfo {
    // Only a wildcard leaves open which address the client spoke to; else save the system call.
    let local = match bound.ip().is_unspecified() {
        true => stream.local_addr().map_or(bound, canonical),
        false => bound,
    };
    ConnectionInfo {
        gateway: accepted.owner.gateway.clone(),
        listener_port: accepted.owner.listener_port,
        peer: accepted.peer,
        local,
        tls: None,
    }
}

/// A dual-stack socket reports IPv4 peers as mapped into IPv6; nobody expects that in a log or a header.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
