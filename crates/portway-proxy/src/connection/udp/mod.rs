//! UDPRoutes: sessions between a client's address and an endpoint.
//!
//! The kernel spreads the datagrams of a port over the workers by addresses and ports, so all of one client
//! reach the same worker, and its session needs to be known there only.

mod session;
mod socket;

use std::rc::Rc;

use super::accept::Port;
use super::serve::Downstream;
use session::Sessions;
use socket::ClientSocket;

/// The largest datagram that UDP can carry. Datagrams are neither cut nor merged.
const LARGEST_DATAGRAM: usize = 65_535;

/// Takes datagrams from a socket until the port is stopped.
///
/// Sessions then end at once: UDP has no end of its own that could be waited for, and the socket must not
/// take datagrams that nobody reads.
pub(crate) async fn datagram_loop(
    socket: std::net::UdpSocket,
    port: Rc<Port>,
    downstream: Rc<Downstream>,
) -> std::io::Result<()> {
    let socket = Rc::new(ClientSocket::new(socket)?);
    let sessions = Sessions::new(Rc::clone(&socket), Rc::clone(&port), Rc::clone(&downstream));
    let mut stopped = port.stopped();
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    let mut in_a_row = 0;
    loop {
        let received = tokio::select! {
            biased;
            () = stopped.drained() => break,
            received = socket.receive(&mut buffer) => received,
        };
        match received {
            Ok((length, flow)) => sessions.forward(buffer.get(..length).unwrap_or_default(), flow),
            Err(error) => {
                tracing::warn!(address = %port.address(), %error, "cannot receive datagrams now");
                tokio::time::sleep(downstream.worker.limits.accept_backoff).await;
            }
        }
        in_a_row += 1;
        if in_a_row % downstream.worker.limits.accept_batch == 0 {
            tokio::task::yield_now().await;
        }
    }
    let group = port.tenure().group;
    group.drain();
    group.ended().await;
    Ok(())
}
