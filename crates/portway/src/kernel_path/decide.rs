//! The way of each listener at each of its addresses. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use portway_config::{Listener, ListenerProtocol};
use portway_ebpf::Limits;
use portway_ebpf::metrics::ListenerLabels;
use portway_ebpf::service::{Backend, Endpoint, Reach, Service, ServiceAddress, Services, Transport};
use portway_proxy::snapshot::{Binding, GatewaySnapshot, Transport as Socket};

use super::machine::{Machine, PacketFilters};
use super::network::Network;
use super::path::{ListenerPath, Path, Reason};
use super::plan::{PlannedBackend, plan};

/// What the kernel is to serve, and the way of each TCP and UDP listener at each of its addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Decision {
    pub(super) services: Services,
    /// Whose each of them is.
    pub(super) labels: BTreeMap<ServiceAddress, ListenerLabels>,
    /// The interfaces that the programs must see the packets of.
    pub(super) interfaces: BTreeSet<u32>,
    pub(super) paths: Vec<ListenerPath>,
}

/// What decides, beside configuration and machine.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) limits: Limits,
    /// Whether packets may go past the rules of nftables and iptables.
    pub(super) past_packet_filters: bool,
    /// Networks whose replies to clients come through this machine of themselves.
    pub(super) routed_back: Vec<Network>,
}

impl Decision {
    /// Leaves all to the proxy, since the kernel refuses.
    pub(super) fn refused(&mut self, reason: &Reason) {
        (self.services, self.labels, self.interfaces) = Default::default();
        for path in self.paths.iter_mut().filter(|it| it.path == Path::Kernel) {
            path.path = reason.path();
            reason.code().clone_into(&mut path.reason);
            path.message = reason.message();
        }
    }

    /// Adds the listeners of a Gateway at a socket that is open.
    pub(super) fn add(
        &mut self,
        gateway: &GatewaySnapshot,
        binding: &Binding,
        machine: &Machine,
        terms: &Terms,
    ) {
        let protocol = match binding.transport {
            Socket::Tcp => ListenerProtocol::Tcp,
            Socket::Udp => ListenerProtocol::Udp,
        };
        let listeners = gateway.configuration.listeners.values();
        for listener in listeners.filter(|it| it.port == binding.listener_port && it.protocol == protocol) {
            let address = binding.address.ip();
            let planned = if address.is_loopback() {
                Err(Reason::Loopback)
            } else {
                let planned = plan(&gateway.configuration, &gateway.router, listener);
                planned.and_then(|it| at_socket(address, machine, terms).map(|()| it))
            };
            let backends = match planned {
                Ok(backends) => backends,
                Err(reason) => {
                    self.tell(listener, binding.transport, binding.address, &reason);
                    continue;
                }
            };
            for address in machine.reached_by(binding.address.ip()) {
                let address = SocketAddr::new(address, binding.address.port());
                let reason = match service(&backends, address.ip(), machine, terms) {
                    Ok((service, reason)) => {
                        self.serve(gateway, listener, binding.transport, address, service, machine);
                        reason
                    }
                    Err(reason) => reason,
                };
                self.tell(listener, binding.transport, address, &reason);
            }
        }
    }

    fn serve(
        &mut self,
        gateway: &GatewaySnapshot,
        listener: &Listener,
        transport: Socket,
        address: SocketAddr,
        service: Service,
        machine: &Machine,
    ) {
        let transport = match transport {
            Socket::Tcp => Transport::Tcp,
            Socket::Udp => Transport::Udp,
        };
        // Clients may come by any interface, whichever has the address.
        let with_address = machine.interfaces.iter().filter(|(_, it)| !it.addresses.is_empty());
        self.interfaces.extend(with_address.map(|(index, _)| *index));
        let endpoints = service.backends.iter().flat_map(|it| &it.endpoints);
        let elsewhere = endpoints.filter(|it| it.reach != Reach::OnNode);
        self.interfaces
            .extend(elsewhere.filter_map(|it| machine.routes.get(&it.address.ip())).map(|it| it.interface));
        let at = ServiceAddress { transport, address };
        let gateway = gateway.configuration.gateway.to_string();
        self.labels.insert(at, ListenerLabels { gateway, listener: listener.key.to_string() });
        self.services.insert(at, service);
    }

    fn tell(&mut self, listener: &Listener, transport: Socket, address: SocketAddr, reason: &Reason) {
        self.paths.push(ListenerPath {
            listener: listener.key.to_string(),
            transport: transport.to_string(),
            address,
            path: reason.path(),
            reason: reason.code().to_owned(),
            message: reason.message(),
        });
    }
}

/// Whether the kernel can serve anything that comes to a socket.
fn at_socket(address: IpAddr, machine: &Machine, terms: &Terms) -> Result<(), Reason> {
    if machine.reached_by(address).is_empty() {
        return Err(Reason::NotOfInterface);
    }
    match &machine.packet_filters {
        _ if terms.past_packet_filters => Ok(()),
        PacketFilters::Absent => Ok(()),
        PacketFilters::Present => Err(Reason::PacketFilter),
        PacketFilters::Unknown(why) => Err(Reason::NotPermitted(format!(
            "whether nftables is in use cannot be told: {why} (CAP_NET_ADMIN)"
        ))),
    }
}

/// What the kernel is to serve at an address of this machine, and whether endpoints see the client's address.
fn service(
    backends: &[PlannedBackend],
    address: IpAddr,
    machine: &Machine,
    terms: &Terms,
) -> Result<(Service, Reason), Reason> {
    let mut served = Vec::new();
    for PlannedBackend { weight, endpoints } in backends {
        let of_family = endpoints.iter().filter(|it| it.is_ipv4() == address.is_ipv4());
        let reached: Result<Vec<_>, _> = of_family.map(|it| endpoint(*it, machine, terms)).collect();
        let reached = reached?;
        // The proxy takes a connection from one family to the other.
        if reached.is_empty() && !endpoints.is_empty() {
            return Err(Reason::OtherFamily);
        }
        served.push(Backend { weight: *weight, endpoints: reached });
    }
    let all = || served.iter().flat_map(|it| &it.endpoints);
    if all().any(|it| it.reach != Reach::OnNode) && !machine.forwards(address) {
        return Err(Reason::NotForwarding);
    }
    let keeps = all().all(|it| it.reach.keeps_client_address());
    if !keeps && machine.last_local_port >= terms.limits.masquerade_first_port {
        return Err(Reason::SourcePortsInUse);
    }
    let reason = if keeps { Reason::ClientAddressKept } else { Reason::ClientAddressHidden };
    Ok((Service { backends: served, source_affinity: false, beside_proxy: true }, reason))
}

/// How an endpoint is reached.
fn endpoint(address: SocketAddr, machine: &Machine, terms: &Terms) -> Result<Endpoint, Reason> {
    let route = machine.routes.get(&address.ip()).ok_or(Reason::EndpointUnreachable)?;
    let reach = if route.is_local {
        Reach::OnNode
    } else if !machine.interfaces.contains_key(&route.interface) {
        return Err(Reason::EndpointNotByEthernet);
    } else if terms.routed_back.iter().any(|it| it.contains(address.ip())) {
        Reach::Forwarded
    } else {
        Reach::Masqueraded
    };
    Ok(Endpoint { address, reach, source: route.source })
}

#[cfg(test)]
mod tests;
