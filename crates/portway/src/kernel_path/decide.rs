//! The way of each listener at each of its addresses. Pure.
//!
//! Of a node of a cluster, [`exposed`] decides.

mod exposed;

pub(super) use self::exposed::Node;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use portway_config::{Listener, ListenerProtocol, NamespacedName};
use portway_ebpf::Limits;
use portway_ebpf::metrics::ListenerLabels;
use portway_ebpf::netlink::{LinkAddress, Route};
use portway_ebpf::service::{Backend, Endpoint, Reach, Service, ServiceAddress, Services, Transport};
use portway_proxy::snapshot::{Binding, GatewaySnapshot, Transport as Socket};

use super::machine::{Machine, PacketFilters};
use super::network::Network;
use super::nodes::{Nodes, Place};
use super::path::{Hidden, ListenerPath, Path, Reason};
use super::plan::{PlannedBackend, PlannedEndpoint, plan};

/// What the kernel is to serve, and the way of each TCP and UDP listener at each of its addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Decision {
    pub(super) services: Services,
    /// Whose each of them is.
    pub(super) labels: BTreeMap<ServiceAddress, ListenerLabels>,
    /// The Gateways, of those that lead past their proxies.
    through: BTreeMap<ServiceAddress, NamespacedName>,
    /// The interfaces that the programs must see the packets of.
    pub(super) interfaces: BTreeSet<u32>,
    /// Other nodes of the cluster, by the source of their frames.
    pub(super) nodes: BTreeSet<LinkAddress>,
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
    /// Where others may have TCP connections, which stay theirs.
    pub(super) beside_others: BesideOthers,
}

/// At which addresses others may have TCP connections: a proxy of this machine, or kube-proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BesideOthers {
    /// At any.
    Everywhere,
    /// At these alone.
    At(BTreeSet<IpAddr>),
}

impl BesideOthers {
    fn includes(&self, address: IpAddr) -> bool {
        match self {
            Self::Everywhere => true,
            Self::At(addresses) => addresses.contains(&address),
        }
    }
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
        for path in self.paths.iter_mut().filter(|it| it.path != Path::Proxy) {
            path.path = reason.path();
            reason.code().clone_into(&mut path.reason);
            path.message = reason.message();
            path.client_address = None;
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

    /// Adds one address of a listener that the kernel could serve, as far as configuration goes.
    fn add_address(
        &mut self,
        whose: Whose<'_>,
        backends: &[PlannedBackend],
        address: SocketAddr,
        machine: &Machine,
        terms: &Terms,
    ) {
        let reason = match service(backends, address.ip(), machine, terms, &Nodes::default()) {
            Ok((service, reason)) => {
                self.serve(whose, address, service, machine);
                reason
            }
            Err(reason) => reason,
        };
        self.tell(whose.listener, socket(whose.listener), address, &reason);
    }

    fn serve(&mut self, whose: Whose<'_>, address: SocketAddr, service: Service, machine: &Machine) {
        // Clients may come by any interface, whichever has the address.
        let with_address = machine.interfaces.iter().filter(|(_, it)| !it.addresses.is_empty());
        self.interfaces.extend(with_address.map(|(index, _)| *index));
        let endpoints = service.backends.iter().flat_map(|it| &it.endpoints);
        let elsewhere = endpoints.filter(|it| it.reach != Reach::OnNode);
        self.interfaces
            .extend(elsewhere.filter_map(|it| machine.routes.get(&it.address.ip())).map(|it| it.interface));
        self.interfaces.extend(machine.led_to.iter().filter(|it| machine.interfaces.contains_key(it)));
        let at = ServiceAddress { transport: transport(whose.listener), address };
        let (gateway, listener) = (whose.gateway.to_string(), whose.listener.key.to_string());
        // Of listeners that share a port, which the kernel cannot tell apart, the first by name.
        self.labels.entry(at).or_insert(ListenerLabels { gateway, listener });
        self.through.remove(&at);
        self.services.insert(at, service);
    }

    fn tell(&mut self, listener: &Listener, transport: Socket, address: SocketAddr, reason: &Reason) {
        self.paths.push(ListenerPath {
            listener: listener.key.to_string(),
            key: Some(listener.key.clone()),
            transport: transport.to_string(),
            address,
            path: reason.path(),
            client_address: reason.client_address(),
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

fn transport(listener: &Listener) -> Transport {
    match socket(listener) {
        Socket::Tcp => Transport::Tcp,
        Socket::Udp => Transport::Udp,
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

/// What the kernel is to serve at an address, and whether endpoints see the client's address.
fn service(
    backends: &[PlannedBackend],
    address: IpAddr,
    machine: &Machine,
    terms: &Terms,
    nodes: &Nodes,
) -> Result<(Service, Reason), Reason> {
    let (mut served, mut hidden) = (Vec::new(), None);
    for PlannedBackend { weight, endpoints } in backends {
        let of_family = endpoints.iter().filter(|it| it.address.is_ipv4() == address.is_ipv4());
        let mut reached = Vec::new();
        for planned in of_family {
            let (endpoint, hides) = endpoint(planned, machine, terms, nodes)?;
            hidden = hidden.or(hides);
            reached.push(endpoint);
        }
        // The proxy takes a connection from one family to the other.
        if reached.is_empty() && !endpoints.is_empty() {
            return Err(Reason::OtherFamily);
        }
        served.push(Backend { weight: *weight, endpoints: reached });
    }
    let mut all = served.iter().flat_map(|it| &it.endpoints);
    if all.any(|it| it.reach != Reach::OnNode) && !machine.forwards(address) {
        return Err(Reason::NotForwarding);
    }
    if hidden.is_some() && machine.last_local_port >= terms.limits.masquerade_first_port {
        return Err(Reason::SourcePortsInUse);
    }
    let reason = hidden.map_or(Reason::ClientAddressKept, Reason::ClientAddressHidden);
    let service = Service {
        backends: served,
        source_affinity: false,
        beside_proxy: terms.beside_others.includes(address),
        gateway: 0,
    };
    Ok((service, reason))
}

/// How an endpoint is reached, and why it does not see the client's address, if so.
fn endpoint(
    planned: &PlannedEndpoint,
    machine: &Machine,
    terms: &Terms,
    nodes: &Nodes,
) -> Result<(Endpoint, Option<Hidden>), Reason> {
    let address = planned.address;
    let route = machine.routes.get(&address.ip());
    let source = route.and_then(|it| it.source);
    let place = nodes.place(planned.node.as_ref(), address.ip(), machine);
    if let Place::Neighbour(node) = place {
        return Ok((Endpoint { address, reach: Reach::OnNeighbour(node), source }, None));
    }
    let route = route.ok_or(Reason::EndpointUnreachable)?;
    if route.is_local {
        return Ok((Endpoint { address, reach: Reach::OnNode, source }, None));
    }
    if !machine.interfaces.contains_key(&route.interface) {
        return Err(Reason::EndpointNotByEthernet);
    }
    if terms.routed_back.includes(address.ip(), route, machine) {
        return Ok((Endpoint { address, reach: Reach::Forwarded, source }, None));
    }
    let hidden = match (place, &terms.routed_back) {
        (Place::Elsewhere(hidden), _) => hidden,
        (_, RoutedBack::Pods { .. }) => Hidden::NodeUnknown,
        (_, RoutedBack::Networks(_)) => Hidden::NotRoutedBack,
    };
    Ok((Endpoint { address, reach: Reach::Masqueraded, source }, Some(hidden)))
}

#[cfg(test)]
mod tests;
