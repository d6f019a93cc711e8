//! What agents are told: a TCP, a UDP and an HTTP listener of one Gateway.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use portway_config::backend::{BackendTls, EndpointState};
use portway_config::key::BackendProtocol;
use portway_config::network_policy::PolicyFacts;
use portway_config::route::{BackendTarget, L4Rule, WeightedBackend};
use portway_config::{
    Attachment, Backend, BackendKey, Configuration, Endpoint, EndpointAddress, Endpoints, EndpointsKey,
    Exposure, HostnamePattern, Listener, ListenerKey, ListenerParent, ListenerProtocol, NamespacedName,
    Route, RouteKey, RouteKind, Rules, Transport, node_agents, nodes_with_agents,
};

/// Of the Gateway: no machine has them.
pub(crate) const ADDRESSES: [&str; 2] = ["203.0.113.10", "2001:db8:99::10"];
pub(crate) const TCP: [&str; 2] = ["203.0.113.10:7000", "[2001:db8:99::10]:7000"];
pub(crate) const UDP: [&str; 2] = ["203.0.113.10:7001", "[2001:db8:99::10]:7001"];
pub(crate) const HTTP: [&str; 2] = ["203.0.113.10:8000", "[2001:db8:99::10]:8000"];

/// Of another Gateway, which leads to the same.
pub(crate) const INNER_ADDRESSES: [&str; 2] = ["203.0.113.20", "2001:db8:99::20"];

/// What is told beside the Gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Behind the TCP and the UDP route, with the names of their nodes.
    pub(crate) endpoints: Vec<(SocketAddr, &'static str)>,
    /// The Gateway's, the same.
    pub(crate) proxies: Vec<(SocketAddr, &'static str)>,
    /// What network policies say, and of whom.
    pub(crate) policy: PolicyFacts,
    /// Nodes that have an agent.
    pub(crate) nodes: Vec<(IpAddr, &'static str)>,
}

fn endpoints(key: EndpointsKey, listed: impl Iterator<Item = (SocketAddr, &'static str)>) -> Arc<Endpoints> {
    let endpoint = |(address, node): (SocketAddr, &'static str)| Endpoint {
        address: EndpointAddress::Socket(address),
        state: EndpointState::Ready,
        node: (!node.is_empty()).then(|| node.into()),
    };
    let mut endpoints: Vec<_> = listed.map(endpoint).collect();
    endpoints.sort();
    Arc::new(Endpoints { key, endpoints })
}

pub(crate) fn configuration(told: &Told) -> Configuration {
    let mut configuration = Configuration::empty(node_agents());
    configuration.policy = told.policy.clone();
    let nodes = told.nodes.iter().map(|(address, name)| (SocketAddr::new(*address, 0), *name));
    configuration.endpoints.insert(nodes_with_agents(), endpoints(nodes_with_agents(), nodes));
    add_gateway(&mut configuration, told, "edge", ADDRESSES);
    configuration
}

/// A Gateway at these addresses, with all that leads to what is told.
pub(crate) fn add_gateway(
    configuration: &mut Configuration,
    told: &Told,
    name: &str,
    addresses: [&'static str; 2],
) {
    let gateway = (&NamespacedName::new("web", name), addresses);
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    add_listener(configuration, told, gateway, 8000, (ListenerProtocol::Http, tcp));
    for (port, protocol, transport) in
        [(7000, ListenerProtocol::Tcp, tcp), (7001, ListenerProtocol::Udp, udp)]
    {
        let listener = add_listener(configuration, told, gateway, port, (protocol, transport));
        add_route(configuration, told, listener, port, transport);
    }
}

fn add_listener(
    configuration: &mut Configuration,
    told: &Told,
    (gateway, addresses): (&NamespacedName, [&'static str; 2]),
    port: u16,
    (protocol, transport): (ListenerProtocol, Transport),
) -> ListenerKey {
    let gateway = gateway.clone();
    let parent = ListenerParent::Gateway(gateway.clone());
    let key = ListenerKey { parent, name: port.to_string().into() };
    let hostname = HostnamePattern::Any;
    let listener = Listener { key: key.clone(), port, hostname, protocol, filters: vec![] };
    configuration.listeners.insert(key.clone(), Arc::new(listener));
    let service = NamespacedName::new("web", format!("{}-portway", gateway.name));
    let of_proxies = EndpointsKey { service, port, transport };
    let proxies = (!told.proxies.is_empty()).then(|| of_proxies.clone());
    let listed = endpoints(of_proxies.clone(), told.proxies.iter().copied());
    configuration.endpoints.insert(of_proxies, listed);
    let addresses = addresses.map(|it| it.parse().unwrap()).to_vec();
    let exposure = Exposure { listener: key.clone(), gateway, addresses, proxies };
    configuration.exposures.insert(key.clone(), Arc::new(exposure));
    key
}

fn add_route(
    configuration: &mut Configuration,
    told: &Told,
    listener: ListenerKey,
    port: u16,
    transport: Transport,
) {
    let (kind, protocol) = match transport {
        Transport::Tcp => (RouteKind::Tcp, BackendProtocol::Tcp),
        Transport::Udp => (RouteKind::Udp, BackendProtocol::Udp),
    };
    let key = EndpointsKey { service: NamespacedName::new("web", "echo"), port, transport };
    configuration.endpoints.insert(key.clone(), endpoints(key.clone(), told.endpoints.iter().copied()));
    let backend = BackendKey { endpoints: key, protocol };
    let value = Backend { key: backend.clone(), tls: BackendTls::Plain };
    configuration.backends.insert(backend.clone(), Arc::new(value));
    let target = BackendTarget::Backend(backend);
    let backends = vec![WeightedBackend { index: 0, weight: 1, target, filters: vec![] }];
    let ListenerParent::Gateway(gateway) = &listener.parent else { unreachable!("it is a Gateway's") };
    let key = RouteKey { kind, name: NamespacedName::new("web", format!("echo-by-{}", gateway.name)) };
    let route = Route {
        key: key.clone(),
        created: None,
        hostnames: vec![],
        attachments: vec![Attachment { listener, hostnames: vec![HostnamePattern::Any] }],
        rules: Rules::L4(vec![L4Rule { index: 0, name: None, backends }]),
    };
    configuration.routes.insert(key, Arc::new(route));
}
