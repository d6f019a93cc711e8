//! The accept loop of one TCP socket.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use portway_config::NamespacedName;
use tokio::net::{TcpListener, TcpStream};

use super::drain::{DrainSignal, DrainTrigger};
use super::group::Group;
use super::serve::Downstream;

/// Whose socket it is. A port can pass from one Gateway to another without being closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The Gateway.
    pub(crate) gateway: NamespacedName,
    /// The port that the Gateway's listeners name.
    pub(crate) listener_port: u16,
}

/// A port that this worker serves: whose it is now, and the connections that came by it.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    stop: DrainTrigger,
    tenure: RefCell<Tenure>,
}

/// The time during which one owner has a port.
#[derive(Clone, Debug)]
pub(crate) struct Tenure {
    pub(crate) owner: Rc<Owner>,
    pub(crate) group: Rc<Group>,
}

impl Port {
    pub(crate) fn new(address: SocketAddr, owner: Owner) -> Rc<Self> {
        let tenure = Tenure { owner: Rc::new(owner), group: Rc::default() };
        Rc::new(Self { address, stop: DrainTrigger::default(), tenure: RefCell::new(tenure) })
    }

    /// The address that is bound; a wildcard has not that of the connection.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn tenure(&self) -> Tenure {
        self.tenure.borrow().clone()
    }

    /// Hands the port to another owner; returns the connections of the former one.
    pub(crate) fn hand_over(&self, owner: Owner) -> Rc<Group> {
        let next = Tenure { owner: Rc::new(owner), group: Rc::default() };
        self.tenure.replace(next).group
    }

    /// Asks the loop that takes connections (or datagrams) from the socket to end.
    pub(crate) fn stop(&self) {
        self.stop.drain();
    }

    pub(crate) fn stopped(&self) -> DrainSignal {
        self.stop.signal()
    }
}

/// Takes connections from a socket until the port is stopped, then what is still queued.
pub(crate) async fn accept_loop(listener: TcpListener, port: Rc<Port>, downstream: Rc<Downstream>) {
    let mut stopped = port.stopped();
    let mut backoff = Backoff::new(&downstream);
    let mut in_a_row = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped.drained() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                backoff.reset();
                downstream.take(stream, peer, &port);
                // Connections that are already open must not wait for a burst of new ones.
                in_a_row += 1;
                if in_a_row % downstream.worker.limits.accept_batch == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                let wait = backoff.next();
                tracing::warn!(
                    address = %port.address, %error, wait_ms = wait.as_millis(),
                    "cannot accept connections now; if the file descriptors are used up, raise the limit (ulimit -n)"
                );
                tokio::select! {
                    () = stopped.drained() => break,
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }
    take_queued(listener, &port, &downstream);
}

/// Closing a listening socket resets the connections in its queue, so take them first.
fn take_queued(listener: TcpListener, port: &Rc<Port>, downstream: &Rc<Downstream>) {
    // tokio would only look again after the kernel's next event.
    let Ok(listener) = listener.into_std() else { return };
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                if let Ok(stream) = stream {
                    downstream.take(stream, peer, port);
                }
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(_) => return,
        }
    }
}

/// accept(2) reports pending network errors of the new connection; the next one may be fine.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::TimedOut
            | Kind::PermissionDenied
    )
}

/// How long to wait after the process or machine ran out of something.
struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    fn new(downstream: &Downstream) -> Self {
        let limits = &downstream.worker.limits;
        Self { first: limits.accept_backoff, longest: limits.accept_backoff_max, next: limits.accept_backoff }
    }

    fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait
    }

    fn reset(&mut self) {
        self.next = self.first;
    }
}
