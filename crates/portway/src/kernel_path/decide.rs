//! The way of each listener at each of its addresses. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use portway_config::{Configuration, Listener, ListenerProtocol, NamespacedName};
use portway_ebpf::Limits;
use portway_ebpf::metrics::ListenerLabels;
use portway_ebpf::netlink::Route;
use portway_ebpf::service::{Backend, Endpoint, Reach, Service, ServiceAddress, Services, Transport};
use portway_proxy::snapshot::{Binding, GatewaySnapshot, Transport as Socket};
use portway_route::Router;

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
    /// Whose replies to clients come through this machine of themselves.
    pub(super) routed_back: RoutedBack,
}

/// Endpoints whose replies to clients come through this machine of themselves.
#[derive(Clone, Debug)]
pub(super) enum RoutedBack {
    /// Those in these networks.
    Networks(Vec<Network>),
    /// Pods of this node: neighbours on an interface other than the one that leads out.
    Pods {
        /// The node's own address, which that interface has.
        node: IpAddr,
    },
}

impl RoutedBack {
    fn includes(&self, endpoint: IpAddr, route: &Route, machine: &Machine) -> bool {
        match self {
            Self::Networks(networks) => networks.iter().any(|it| it.contains(endpoint)),
            Self::Pods { node } => {
                let leads_out =
                    machine.interfaces.get(&route.interface).is_none_or(|it| it.addresses.contains(node));
                route.is_neighbour && !leads_out
            }
        }
    }
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
                let whose = Whose { gateway: &gateway.configuration.gateway, listener };
                self.add_address(whose, &backends, address, machine, terms);
            }
        }
    }

    /// Adds the listeners of a node, at the addresses of their Gateways, which are no machine's own.
    pub(super) fn add_exposed(
        &mut self,
        configuration: &Configuration,
        router: &Router,
        machine: &Machine,
        terms: &Terms,
    ) {
        for exposure in configuration.exposures.values() {
            let Some(listener) = configuration.listeners.get(&exposure.listener) else {
                continue;
            };
            let backends = plan(configuration, router, listener);
            for address in &exposure.addresses {
                let address = SocketAddr::new(*address, listener.port);
                match &backends {
                    Ok(backends) => {
                        let whose = Whose { gateway: &exposure.gateway, listener };
                        self.add_address(whose, backends, address, machine, terms);
                    }
                    Err(reason) => self.tell(listener, socket(listener), address, reason),
                }
            }
        }
    }

    /// Adds one address of a listener that the kernel could serve, as far as configuration goes.
    fn add_address(
        &mut self,
        whose: Whose<'_>,
        backends: &[PlannedBackend],
        address: SocketAddr,
        machine: &Machine,
        terms: &Terms,
    ) {
        let reason = match service(backends, address.ip(), machine, terms) {
            Ok((service, reason)) => {
                self.serve(whose, address, service, machine);
                reason
            }
            Err(reason) => reason,
        };
        self.tell(whose.listener, socket(whose.listener), address, &reason);
    }

    fn serve(&mut self, whose: Whose<'_>, address: SocketAddr, service: Service, machine: &Machine) {
        let transport = match socket(whose.listener) {
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
        let (gateway, listener) = (whose.gateway.to_string(), whose.listener.key.to_string());
        self.labels.insert(at, ListenerLabels { gateway, listener });
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

/// A listener, and the Gateway that it is of.
#[derive(Clone, Copy)]
struct Whose<'a> {
    gateway: &'a NamespacedName,
    listener: &'a Listener,
}

fn socket(listener: &Listener) -> Socket {
    if listener.protocol == ListenerProtocol::Udp { Socket::Udp } else { Socket::Tcp }
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
    } else if terms.routed_back.includes(address.ip(), route, machine) {
        Reach::Forwarded
    } else {
        Reach::Masqueraded
    };
    Ok(Endpoint { address, reach, source: route.source })
}

#[cfg(test)]
mod tests;
