//! DNS names of endpoints (Services of type ExternalName).

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use portway_config::EndpointAddress;

use crate::limits::Limits;

/// The addresses of one endpoint, remembered for a while.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// Never without an address.
    answer: RefCell<Option<(Vec<SocketAddr>, Instant)>>,
}

impl Resolved {
    /// The address that comes first.
    pub(super) async fn address(
        &self,
        endpoint: &EndpointAddress,
        limits: &Limits,
        now: Instant,
    ) -> io::Result<SocketAddr> {
        if let EndpointAddress::Socket(address) = endpoint {
            return Ok(*address);
        }
        if let Some((addresses, asked)) = &*self.answer.borrow()
            && now.saturating_duration_since(*asked) < limits.dns_ttl
            && let Some(first) = addresses.first()
        {
            return Ok(*first);
        }
        let addresses = self.addresses(endpoint, limits, now).await?;
        addresses.first().copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// All addresses, in the order in which they are to be tried. An old answer is better than none when the resolver
    /// fails.
    pub(super) async fn addresses(
        &self,
        endpoint: &EndpointAddress,
        limits: &Limits,
        now: Instant,
    ) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = match endpoint {
            EndpointAddress::Socket(address) => return Ok(vec![*address]),
            EndpointAddress::Dns { host, port } => (host, *port),
        };
        if let Some((addresses, asked)) = &*self.answer.borrow()
            && now.saturating_duration_since(*asked) < limits.dns_ttl
        {
            return Ok(addresses.clone());
        }
        let found = match tokio::net::lookup_host((&**host, port)).await {
            Ok(found) => found.collect(),
            Err(error) => return self.old().ok_or(error),
        };
        self.learn(found, now)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address")))
    }

    /// Puts an address first that a connection was made to.
    pub(super) fn prefer(&self, address: SocketAddr) {
        if let Some((addresses, _)) = &mut *self.answer.borrow_mut() {
            put_first(addresses, address);
        }
    }

    fn old(&self) -> Option<Vec<SocketAddr>> {
        self.answer.borrow().as_ref().map(|(addresses, _)| addresses.clone())
    }

    /// Remembers an answer. What was first stays first, if it is still among the addresses.
    pub(super) fn learn(&self, mut found: Vec<SocketAddr>, now: Instant) -> Option<Vec<SocketAddr>> {
        if let Some(first) = self.old().and_then(|addresses| addresses.first().copied()) {
            put_first(&mut found, first);
        }
        if found.is_empty() {
            return None;
        }
        self.answer.replace(Some((found.clone(), now)));
        Some(found)
    }
}

fn put_first(addresses: &mut [SocketAddr], address: SocketAddr) {
    if let Some(index) = addresses.iter().position(|it| *it == address)
        && let Some(head) = addresses.get_mut(..=index)
    {
        head.rotate_right(1);
    }
}
