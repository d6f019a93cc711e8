//! Which sockets really are open.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portway_config::Listener;
use portway_proxy::snapshot::{Binding, GatewaySnapshot};

use super::bindings::transport;
use super::published::Published;

impl Published {
    /// All sockets that are open.
    pub(super) fn open_sockets(&self) -> BTreeSet<Binding> {
        let bindings = self.gateways.iter().flat_map(|gateway| &gateway.bindings);
        bindings.filter(|binding| !self.refused_sockets.contains(binding)).copied().collect()
    }

    /// Where a listener is reached.
    pub(super) fn addresses(&self, gateway: &GatewaySnapshot, listener: &Listener) -> Vec<SocketAddr> {
        let is_for = |it: &&Binding| {
            it.listener_port == listener.port && it.transport == transport(&listener.protocol)
        };
        let bindings = gateway.bindings.iter().filter(is_for);
        bindings.filter(|it| !self.refused_sockets.contains(it)).map(|it| it.address).collect()
    }
}

/// An address to connect to from this machine: a wildcard is none.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
