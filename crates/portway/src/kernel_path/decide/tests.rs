use std::sync::Arc;

use portway_config::backend::{
    BackendTls, Endpoint as Configured, EndpointAddress, EndpointState, Endpoints,
};
use portway_config::key::{BackendKey, BackendProtocol};
use portway_config::route::{BackendTarget, Fault, FaultReason, L4Rule, Rules, WeightedBackend};
use portway_config::{
    Attachment, Configuration, EndpointsKey, HostnamePattern, ListenerKey, ListenerParent, NamespacedName,
    RouteKey, RouteKind, Transport as ServiceTransport,
};
use portway_ebpf::netlink::Route;

use super::super::machine::Interface;
use super::*;

const LISTENER: &str = "192.0.2.1:53";
/// Indices of interfaces.
pub(super) const ETH0: u32 = 2;
pub(super) const POD0: u32 = 3;
const WIREGUARD: u32 = 4;

pub(super) fn machine() -> Machine {
    let interface = |name: &str, addresses: &[&str]| Interface {
        name: name.to_owned(),
        addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
    };
    let route = |interface, source: &str, is_local| Route {
        interface,
        source: source.parse().ok(),
        is_local,
        is_neighbour: true,
    };
    let routes = [
        ("192.0.2.1", route(1, "192.0.2.1", true)),
        ("10.0.0.1", route(POD0, "192.0.2.1", false)),
        ("10.9.0.1", route(WIREGUARD, "10.9.0.254", false)),
        ("fd00::1", route(POD0, "2001:db8::1", false)),
        ("2001:db8::2", route(ETH0, "2001:db8::1", false)),
    ];
    Machine {
        // The one has no address of its own, as those of pods often do.
        interfaces: [
            (ETH0, interface("eth0", &["192.0.2.1", "2001:db8::1"])),
            (POD0, interface("pod0", &[])),
        ]
        .into(),
        forwards_ipv4: true,
        forwards_ipv6: true,
        last_local_port: 60_999,
        packet_filters: PacketFilters::Absent,
        routes: routes.map(|(address, route)| (address.parse().unwrap(), route)).into(),
        ..Machine::default()
    }
}

pub(super) fn terms() -> Terms {
    Terms {
        limits: Limits::default(),
        past_packet_filters: false,
        routed_back: RoutedBack::Networks(Vec::new()),
        beside_others: BesideOthers::Everywhere,
    }
}

fn key(protocol: BackendProtocol) -> BackendKey {
    let endpoints =
        EndpointsKey { service: NamespacedName::new("a", "s"), port: 53, transport: ServiceTransport::Udp };
    BackendKey { endpoints, protocol }
}

/// A Gateway whose one listener leads to these endpoints, each as a backend of its own; without any, to nobody.
pub(super) fn gateway(protocol: ListenerProtocol, endpoints: &[&str], address: &str) -> GatewaySnapshot {
    let name = NamespacedName::new("a", "g");
    let mut configuration = Configuration::empty(name.clone());
    let listener = ListenerKey { parent: ListenerParent::Gateway(name), name: "dns".into() };
    let hostname = HostnamePattern::Any;
    let value =
        Listener { key: listener.clone(), port: 53, hostname: hostname.clone(), protocol, filters: vec![] };
    let is_udp = value.protocol == ListenerProtocol::Udp;
    configuration.listeners.insert(listener.clone(), Arc::new(value));
    let (kind, protocol) =
        if is_udp { (RouteKind::Udp, BackendProtocol::Udp) } else { (RouteKind::Tcp, BackendProtocol::Tcp) };
    let target = BackendTarget::Backend(key(protocol));
    let backend = WeightedBackend { index: 0, weight: 3, target, filters: vec![] };
    let fault = Fault { reason: FaultReason::BackendNotFound, message: "there is none".into() };
    let invalid =
        WeightedBackend { index: 1, weight: 1, target: BackendTarget::Invalid(fault), filters: vec![] };
    let route = RouteKey { kind, name: NamespacedName::new("a", "r") };
    if !endpoints.is_empty() {
        let rule = L4Rule { index: 0, name: None, backends: vec![backend, invalid] };
        let value = portway_config::Route {
            key: route.clone(),
            created: None,
            hostnames: vec![],
            attachments: vec![Attachment { listener, hostnames: vec![hostname] }],
            rules: Rules::L4(vec![rule]),
        };
        configuration.routes.insert(route, Arc::new(value));
    }
    let configured = |it: &&str| Configured {
        address: it
            .parse()
            .map_or_else(|_| EndpointAddress::Dns { host: (*it).into(), port: 53 }, EndpointAddress::Socket),
        state: EndpointState::Ready,
        node: None,
    };
    let key = key(protocol);
    let value =
        Endpoints { key: key.endpoints.clone(), endpoints: endpoints.iter().map(configured).collect() };
    configuration.endpoints.insert(key.endpoints.clone(), Arc::new(value));
    let value = portway_config::Backend { key: key.clone(), tls: BackendTls::Plain };
    configuration.backends.insert(key, Arc::new(value));
    let transport = if is_udp { Socket::Udp } else { Socket::Tcp };
    let binding = Binding { address: address.parse().unwrap(), transport, listener_port: 53 };
    GatewaySnapshot::build(Arc::new(configuration), vec![binding], None).0
}

fn decide(gateway: &GatewaySnapshot, machine: &Machine, terms: &Terms) -> Decision {
    let mut decision = Decision::default();
    for binding in &gateway.bindings {
        decision.add(gateway, binding, machine, terms);
    }
    decision
}

/// Address and reason of each path.
pub(super) fn reasons(decision: &Decision) -> Vec<(String, &str)> {
    decision.paths.iter().map(|it| (it.address.to_string(), it.reason.as_str())).collect()
}

fn reason(gateway: &GatewaySnapshot, machine: &Machine, terms: &Terms) -> String {
    let decision = decide(gateway, machine, terms);
    assert_eq!(decision.paths.len(), 1);
    let path = &decision.paths[0];
    let expected = usize::from(path.path == Path::Kernel);
    assert_eq!((decision.services.len(), decision.labels.len()), (expected, expected), "{path:?}");
    assert_eq!(decision.interfaces.is_empty(), expected == 0);
    path.reason.clone()
}

#[test]
fn each_way_has_its_reason() {
    use ListenerProtocol::{Tcp, Udp};
    let of = |protocol, endpoints: &[&str], address: &str| {
        reason(&gateway(protocol, endpoints, address), &machine(), &terms())
    };
    assert_eq!(of(Udp, &["10.0.0.1:53"], LISTENER), "client_address_hidden");
    assert_eq!(of(Tcp, &["192.0.2.1:8053"], LISTENER), "client_address_kept");
    assert_eq!(of(Tcp, &["192.0.2.1:8053", "10.0.0.1:53"], LISTENER), "client_address_hidden");
    assert_eq!(of(Tcp, &["10.0.0.1:53"], "127.0.0.1:53"), "loopback");
    assert_eq!(of(Tcp, &["10.0.0.1:53"], "192.0.2.2:53"), "not_of_interface");
    assert_eq!(of(Tcp, &[], LISTENER), "no_route");
    assert_eq!(of(Tcp, &["[2001:db8::2]:53"], LISTENER), "other_family");
    assert_eq!(of(Udp, &["dns.example.com"], LISTENER), "endpoint_by_name");
    assert_eq!(of(Udp, &["127.0.0.1:5353"], LISTENER), "endpoint_on_loopback");
    assert_eq!(of(Udp, &["10.0.0.1:53", "203.0.113.1:53"], LISTENER), "endpoint_unreachable");
    assert_eq!(of(Udp, &["10.9.0.1:53"], LISTENER), "endpoint_not_by_ethernet");
}

#[test]
fn the_machine_has_its_say() {
    let (elsewhere, here) =
        ["10.0.0.1:53", "192.0.2.1:8053"].map(|it| gateway(ListenerProtocol::Udp, &[it], LISTENER)).into();
    let on = |machine: &Machine, gateway: &GatewaySnapshot| reason(gateway, machine, &terms());
    let still = Machine { forwards_ipv4: false, ..machine() };
    assert_eq!(on(&still, &elsewhere), "not_forwarding");
    assert_eq!(on(&still, &here), "client_address_kept");
    let crowded = Machine { last_local_port: 65_535, ..machine() };
    assert_eq!(on(&crowded, &elsewhere), "source_ports_in_use");
    assert_eq!(on(&crowded, &here), "client_address_kept");
    let unknown = Machine { packet_filters: PacketFilters::Unknown("no right".to_owned()), ..machine() };
    assert_eq!(on(&unknown, &here), "not_permitted");
    let filtering = Machine { packet_filters: PacketFilters::Present, ..machine() };
    assert_eq!(on(&filtering, &here), "packet_filter");
    let past = Terms { past_packet_filters: true, ..terms() };
    assert_eq!(reason(&here, &filtering, &past), "client_address_kept");
}

#[test]
fn endpoints_behind_this_machine_see_the_client() {
    let terms = Terms { routed_back: RoutedBack::Networks(vec!["10.0.0.0/8".parse().unwrap()]), ..terms() };
    let gateway = gateway(ListenerProtocol::Tcp, &["10.0.0.1:53"], LISTENER);
    assert_eq!(reason(&gateway, &machine(), &terms), "client_address_kept");
}

#[test]
fn an_endpoint_is_reached_with_the_address_of_its_way() {
    let decision = decide(&gateway(ListenerProtocol::Tcp, &["10.0.0.1:53"], LISTENER), &machine(), &terms());
    let service = decision.services.values().next().unwrap();
    assert!(service.beside_proxy);
    let endpoint = service.backends[0].endpoints[0];
    assert_eq!((endpoint.reach, endpoint.source), (Reach::Masqueraded, "192.0.2.1".parse().ok()));
    assert_eq!(decision.interfaces, [ETH0, POD0].into(), "where clients come, and where replies do");
}

#[test]
fn what_must_be_read_is_not_for_the_kernel() {
    use ListenerProtocol::{Http, TlsPassthrough};
    for protocol in [Http, TlsPassthrough] {
        let gateway = gateway(protocol, &["10.0.0.1:53"], LISTENER);
        let listener = gateway.configuration.listeners.values().next().unwrap();
        assert_eq!(plan(&gateway.configuration, &gateway.router, listener), Err(Reason::ReadsContent));
        assert_eq!(decide(&gateway, &machine(), &terms()), Decision::default());
    }
}

#[test]
fn a_socket_on_all_addresses_is_served_at_each() {
    let endpoints = ["10.0.0.1:53", "[fd00::1]:53"];
    let all = decide(&gateway(ListenerProtocol::Udp, &endpoints, "[::]:53"), &machine(), &terms());
    let hidden = "client_address_hidden";
    assert_eq!(reasons(&all), [("192.0.2.1:53".to_owned(), hidden), ("[2001:db8::1]:53".to_owned(), hidden)]);
    let ipv4 = decide(&gateway(ListenerProtocol::Udp, &endpoints, "0.0.0.0:53"), &machine(), &terms());
    assert_eq!(reasons(&ipv4), [("192.0.2.1:53".to_owned(), hidden)]);
}

#[test]
fn the_share_of_an_invalid_backend_stays_its_share() {
    let decision = decide(&gateway(ListenerProtocol::Udp, &["10.0.0.1:53"], LISTENER), &machine(), &terms());
    let backends = &decision.services.values().next().unwrap().backends;
    let shown: Vec<_> = backends.iter().map(|it| (it.weight, it.endpoints.len())).collect();
    assert_eq!(shown, [(3, 1), (1, 0)]);
}

#[test]
fn what_the_kernel_refuses_is_the_proxys() {
    let gateway = gateway(ListenerProtocol::Udp, &["10.0.0.1:53"], LISTENER);
    let mut decision = decide(&gateway, &machine(), &terms());
    decision.refused(&Reason::KernelRefuses("it is too old".to_owned()));
    assert!(decision.services.is_empty() && decision.interfaces.is_empty());
    let path = &decision.paths[0];
    let told = (path.path, path.reason.as_str(), path.message.as_str());
    assert_eq!(told, (Path::Proxy, "kernel_refuses", "it is too old"));
}
