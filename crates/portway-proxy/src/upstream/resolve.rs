//! DNS names of endpoints (Services of type ExternalName).

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use portway_config::EndpointAddress;

/// How long an answer is used before the name is asked for again. The system's resolver does not
/// tell the record's own time to live.
pub(super) const DNS_TTL: Duration = Duration::from_secs(5);

/// The addresses of one endpoint, remembered for a while.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    answer: RefCell<Option<(Vec<SocketAddr>, Instant)>>,
}

impl Resolved {
    /// The address to connect to. An old answer is better than none when the resolver fails.
    pub(super) async fn address(&self, endpoint: &EndpointAddress, now: Instant) -> io::Result<SocketAddr> {
        let (host, port) = match endpoint {
            EndpointAddress::Socket(address) => return Ok(*address),
            EndpointAddress::Dns { host, port } => (host, *port),
        };
        if let Some((addresses, asked)) = &*self.answer.borrow()
            && now.saturating_duration_since(*asked) < DNS_TTL
            && let Some(first) = addresses.first()
        {
            return Ok(*first);
        }
        match tokio::net::lookup_host((&**host, port)).await {
            Ok(found) => {
                let addresses: Vec<SocketAddr> = found.collect();
                let first = addresses.first().copied();
                *self.answer.borrow_mut() = Some((addresses, now));
                first.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address")))
            }
            Err(error) => {
                let answer = self.answer.borrow();
                let old = answer.as_ref().and_then(|(addresses, _)| addresses.first().copied());
                old.ok_or(error)
            }
        }
    }
}
