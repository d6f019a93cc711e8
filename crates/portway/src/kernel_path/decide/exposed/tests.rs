//! As a node agent sees it: the address is the Gateway's, and where pods are the nodes' names and the routes tell.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use portway_config::backend::{Endpoint, EndpointAddress, EndpointState, Endpoints};
use portway_config::{
    Configuration, EndpointsKey, Exposure, ListenerProtocol, NamespacedName, nodes_with_agents,
};
use portway_ebpf::service::Reach;

use super::super::tests::{ETH0, POD0, gateway, machine, reasons, terms};
use super::super::{BesideOthers, Decision, RoutedBack, Terms};
use super::Node;
use crate::kernel_path::machine::Machine;
use crate::kernel_path::nodes::Nodes;
use crate::kernel_path::path::{ClientAddress, Path};

const OWN: &str = "192.0.2.1";

/// What agents are told of a Gateway whose listener leads to these endpoints, each on a node, and whose proxies are there.
fn configuration(
    protocol: ListenerProtocol,
    endpoints: &[(&str, &str)],
    proxies: &[(&str, &str)],
) -> (Configuration, portway_route::Router) {
    let addresses: Vec<_> = endpoints.iter().map(|it| it.0).collect();
    let gateway = gateway(protocol, &addresses, "192.0.2.1:53");
    let mut configuration = (*gateway.configuration).clone();
    let on_nodes = |key: &EndpointsKey, listed: &[(&str, &str)]| Endpoints {
        key: key.clone(),
        endpoints: listed.iter().map(|(address, node)| on_node(address, node)).collect(),
    };
    let keys: Vec<_> = configuration.endpoints.keys().cloned().collect();
    for key in keys {
        configuration.endpoints.insert(key.clone(), Arc::new(on_nodes(&key, endpoints)));
    }
    let service = NamespacedName::new("a", "g-portway");
    let key = EndpointsKey { service, port: 53, transport: portway_config::Transport::Tcp };
    configuration.endpoints.insert(key.clone(), Arc::new(on_nodes(&key, proxies)));
    let nodes = on_nodes(&nodes_with_agents(), &[("192.0.2.1:0", "own"), ("192.0.2.2:0", "other")]);
    configuration.endpoints.insert(nodes.key.clone(), Arc::new(nodes));
    let listener = configuration.listeners.keys().next().unwrap().clone();
    let addresses = vec!["203.0.113.1".parse().unwrap(), "2001:db8::99".parse().unwrap()];
    let proxies = (!proxies.is_empty()).then_some(key);
    let gateway_name = NamespacedName::new("a", "g");
    let exposure = Exposure { listener: listener.clone(), gateway: gateway_name, addresses, proxies };
    configuration.exposures.insert(listener, Arc::new(exposure));
    let router = portway_route::Router::compile(&configuration).0;
    (configuration, router)
}

fn on_node(address: &str, node: &str) -> Endpoint {
    let address = EndpointAddress::Socket(address.parse().unwrap());
    let node = (!node.is_empty()).then(|| node.into());
    Endpoint { address, state: EndpointState::Ready, node }
}

/// A machine with a route to another node, and to a pod there by it.
fn node() -> Machine {
    let mut machine = machine();
    let mut route = machine.routes[&"10.0.0.1".parse::<IpAddr>().unwrap()];
    route.interface = ETH0;
    machine.routes.insert("192.0.2.2".parse().unwrap(), route);
    route.is_neighbour = false;
    machine.routes.insert("10.1.0.1".parse().unwrap(), route);
    machine.links.insert("192.0.2.2".parse().unwrap(), [2, 0, 0, 0, 0, 2]);
    machine
}

fn decide((configuration, router): &(Configuration, portway_route::Router), machine: &Machine) -> Decision {
    let routed_back = RoutedBack::Pods { node: OWN.parse().unwrap() };
    let terms = Terms { routed_back, beside_others: BesideOthers::At(BTreeSet::new()), ..terms() };
    let nodes = Nodes::of(configuration, OWN.parse().unwrap());
    let mut decision = Decision::default();
    decision.add_exposed(configuration, router, Node { machine, terms: &terms, nodes: &nodes });
    decision
}

/// How each endpoint of the first service is reached.
fn reaches(decision: &Decision) -> Vec<Reach> {
    let service = decision.services.values().next().unwrap();
    service.backends.iter().flat_map(|it| &it.endpoints).map(|it| it.reach).collect()
}

#[test]
fn pods_of_the_node_see_the_client() {
    for name in ["own", ""] {
        let decision = decide(&configuration(ListenerProtocol::Udp, &[("10.0.0.1:53", name)], &[]), &node());
        assert_eq!(
            reasons(&decision),
            [
                ("203.0.113.1:53".to_owned(), "client_address_kept"),
                ("[2001:db8::99]:53".to_owned(), "other_family")
            ]
        );
        assert_eq!(reaches(&decision), [Reach::Forwarded]);
    }
}

#[test]
fn packets_for_pods_of_another_node_are_left_to_it() {
    let decision = decide(
        &configuration(ListenerProtocol::Udp, &[("10.0.0.1:53", "own"), ("10.1.0.1:53", "other")], &[]),
        &node(),
    );
    assert_eq!(reasons(&decision)[0].1, "client_address_kept");
    assert_eq!(reaches(&decision), [Reach::Forwarded, Reach::OnNeighbour("192.0.2.2".parse().unwrap())]);
    assert_eq!(decision.nodes, [[2, 0, 0, 0, 0, 2]].into());
}

#[test]
fn where_that_is_not_possible_the_reason_is_told() {
    let told = |name: &str, machine: &Machine| {
        let endpoints = [("10.1.0.1:53", name)];
        let decision = decide(&configuration(ListenerProtocol::Udp, &endpoints, &[]), machine);
        let path = &decision.paths[0];
        assert_eq!((path.path, &*path.reason), (Path::Kernel, "client_address_hidden"));
        assert_eq!(
            (path.client_address, reaches(&decision)),
            (Some(ClientAddress::Hidden), vec![Reach::Masqueraded])
        );
        path.message.clone()
    };
    let mut behind_router = node();
    behind_router.routes.get_mut(&"192.0.2.2".parse::<IpAddr>().unwrap()).unwrap().is_neighbour = false;
    let cases = [
        ("third", node(), "third, the node of one, has no agent"),
        ("other", behind_router, "other, the node of one, is not on a link of this node"),
        ("", node(), "which node one is on is not known"),
    ];
    for (name, machine, expected) in cases {
        let message = told(name, &machine);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_the_kernel_cannot_do_alone_it_takes_to_the_proxies() {
    use ListenerProtocol::{Http, Tcp, TlsPassthrough};
    for (protocol, endpoint, reason) in [
        (Http, "10.0.0.1:53", "reads_content"),
        (TlsPassthrough, "10.0.0.1:53", "reads_content"),
        (Tcp, "10.9.0.1:53", "endpoint_not_by_ethernet"),
        (Tcp, "203.0.113.99:53", "endpoint_unreachable"),
    ] {
        let proxies = [("10.0.0.1:8080", "own"), ("10.1.0.1:8080", "other")];
        let decision = decide(&configuration(protocol, &[(endpoint, "")], &proxies), &node());
        let path = &decision.paths[0];
        assert_eq!((path.path, &*path.reason), (Path::KernelToProxy, reason), "{path:?}");
        assert_eq!(path.client_address, Some(ClientAddress::Kept));
        assert_eq!(reaches(&decision), [Reach::Forwarded, Reach::OnNeighbour("192.0.2.2".parse().unwrap())]);
        assert_eq!(decision.paths[1].path, Path::Proxy, "no proxy has an address of the other family");
    }
}

#[test]
fn a_gateway_whose_proxies_are_gone_refuses() {
    let mut told = configuration(ListenerProtocol::Http, &[], &[("10.0.0.1:80", "own")]);
    let key = told.0.exposures.values().next().unwrap().proxies.clone().unwrap();
    told.0.endpoints.insert(key.clone(), Arc::new(Endpoints { key, endpoints: Vec::new() }));
    let decision = decide(&told, &node());
    assert_eq!((decision.services.len(), reaches(&decision)), (2, vec![]));
}

#[test]
fn the_programs_are_where_pods_are() {
    let mut machine = node();
    machine.led_to = [ETH0, POD0, 99].into();
    let decision = decide(&configuration(ListenerProtocol::Udp, &[("10.1.0.1:53", "other")], &[]), &machine);
    assert_eq!(decision.interfaces, [ETH0, POD0].into(), "there is no interface 99");
}

#[test]
fn past_the_proxies_alone_backends_know_the_gateway() {
    let number = |gateway: &NamespacedName| u32::from(*gateway == NamespacedName::new("a", "g")) * 7;
    let numbered = |protocol| {
        let proxies = [("10.0.0.1:53", "own")];
        let mut decision = decide(&configuration(protocol, &[("10.0.0.1:53", "own")], &proxies), &node());
        decision.number_gateways(number);
        decision.services.values().map(|it| it.gateway).collect::<Vec<_>>()
    };
    assert_eq!(numbered(ListenerProtocol::Tcp), [7]);
    assert_eq!(numbered(ListenerProtocol::Http), [0], "to a proxy, its client is who it is");
}
