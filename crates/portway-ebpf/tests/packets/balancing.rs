//! Which endpoint a new flow gets.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use portway_ebpf::service::{Backend, Endpoint, Reach, Service};

use crate::node::{CLIENT, ENDPOINT, LISTENER, OTHER_ENDPOINT, TestNode, Verdict};
use crate::wire::{ACK, FIN, Packet, RST, SYN, TCP, take_apart};

fn endpoint_of(node: &mut TestNode, packet: &Packet) -> SocketAddr {
    let (verdict, out) = node.ingress(&packet.frame());
    assert_eq!(verdict, Verdict::Redirect, "{packet:?}: {:?}", node.drops());
    take_apart(&out, packet.protocol).destination
}

/// Ten thousand connections of a hundred clients.
fn connections() -> impl Iterator<Item = Packet> {
    (0..100_u8).flat_map(|client| {
        (0..100_u16).map(move |port| {
            let client = format!("198.51.100.{}:{}", client + 1, 32_768 + port);
            Packet::tcp(&client, LISTENER[0], SYN)
        })
    })
}

#[test]
fn weights_are_kept_over_ten_thousand_connections() {
    let mut node = TestNode::new();
    node.serve_weighted(&[(90, vec![ENDPOINT[0]]), (10, vec![OTHER_ENDPOINT[0]])], Reach::Forwarded, 0);
    let mut counts = BTreeMap::<SocketAddr, u32>::new();
    for packet in connections() {
        *counts.entry(endpoint_of(&mut node, &packet)).or_default() += 1;
    }
    let share = f64::from(counts[&ENDPOINT[0].parse().unwrap()]) / 10_000.0;
    assert!((share - 0.9).abs() < 0.01, "{counts:?}");
    let id = node.balancer.id(&crate::node::listeners()[0]).unwrap();
    let counters = node.kernel.counters(id).unwrap();
    assert_eq!((counters.flows, counters.packets_from_client), (10_000, 10_000));
}

#[test]
fn by_source_affinity_all_connections_of_a_client_go_to_one_endpoint() {
    let mut node = TestNode::new();
    let endpoints = (1..=10).map(|it| Endpoint {
        address: format!("10.0.0.{it}:80").parse().unwrap(),
        reach: Reach::Forwarded,
        source: None,
    });
    let backend = Backend { weight: 1, endpoints: endpoints.collect() };
    node.serve_as(
        &Service { backends: vec![backend], source_affinity: true, beside_proxy: false, gateway: 0 },
        0,
    );
    let mut of_client = BTreeMap::<_, BTreeMap<SocketAddr, u32>>::new();
    for packet in connections() {
        let endpoint = endpoint_of(&mut node, &packet);
        *of_client.entry(packet.source.ip()).or_default().entry(endpoint).or_default() += 1;
    }
    assert!(of_client.values().all(|it| it.len() == 1), "{of_client:?}");
    let used: std::collections::BTreeSet<_> = of_client.values().flat_map(BTreeMap::keys).collect();
    assert_eq!(used.len(), 10);
}

#[test]
fn an_endpoint_that_leaves_keeps_its_flows_until_its_time_is_over() {
    let mut node = TestNode::new();
    for family in 0..2 {
        node.serve(&[ENDPOINT], Reach::Forwarded, 0);
        let tcp = Packet::tcp(CLIENT[family], LISTENER[family], SYN);
        let udp = Packet::udp(CLIENT[family], LISTENER[family]);
        let (old, new): (SocketAddr, SocketAddr) =
            (ENDPOINT[family].parse().unwrap(), OTHER_ENDPOINT[family].parse().unwrap());
        assert_eq!(endpoint_of(&mut node, &tcp), old);
        assert_eq!(endpoint_of(&mut node, &udp), old);

        node.serve(&[OTHER_ENDPOINT], Reach::Forwarded, 0);
        assert_eq!(endpoint_of(&mut node, &tcp.with_flags(ACK)), old);
        assert_eq!(endpoint_of(&mut node, &udp), old);
        let mut another = tcp.clone();
        another.source.set_port(40_001);
        assert_eq!(endpoint_of(&mut node, &another), new);

        node.serve(&[OTHER_ENDPOINT], Reach::Forwarded, 60);
        let (_, out) = node.ingress(&tcp.with_flags(ACK).frame());
        assert_eq!(take_apart(&out, TCP).destination, tcp.source, "reset");
        assert_eq!(endpoint_of(&mut node, &tcp), new);
        assert_eq!(endpoint_of(&mut node, &udp), new);
        node.serve(&[], Reach::Forwarded, 60);
        node.serve(&[], Reach::Forwarded, 120);
    }
}

#[test]
fn more_endpoints_move_no_flow() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let packets: Vec<_> = connections().take(500).collect();
    for packet in &packets {
        endpoint_of(&mut node, packet);
    }
    node.serve(&[ENDPOINT, OTHER_ENDPOINT], Reach::Forwarded, 0);
    for packet in &packets {
        assert_eq!(endpoint_of(&mut node, &packet.with_flags(ACK)), ENDPOINT[0].parse().unwrap());
    }
}

#[test]
fn a_client_may_use_one_port_for_two_listeners_of_the_same_endpoint() {
    let mut node = TestNode::new();
    let endpoint =
        Endpoint { address: "10.0.0.1:80".parse().unwrap(), reach: Reach::Forwarded, source: None };
    let service = Service {
        backends: vec![Backend { weight: 1, endpoints: vec![endpoint] }],
        source_affinity: false,
        beside_proxy: false,
        gateway: 0,
    };
    let listeners = ["192.0.2.1:80", "192.0.2.1:81"];
    let addresses = listeners.map(|it| {
        let transport = portway_ebpf::service::Transport::Tcp;
        let address = portway_ebpf::service::ServiceAddress { transport, address: it.parse().unwrap() };
        (address, service.clone())
    });
    let changes = node.balancer.serve(&addresses.into(), std::time::Duration::ZERO);
    node.kernel.apply(&changes).unwrap();
    let mut ports = vec![];
    for listener in listeners {
        let packet = Packet::tcp(CLIENT[0], listener, SYN);
        let (_, out) = node.ingress(&packet.frame());
        let seen = take_apart(&out, TCP);
        assert_eq!(seen.source.ip(), packet.source.ip(), "its address is kept");
        ports.push(seen.source.port());
        let mut reply = packet.reversed().with_flags(SYN | ACK);
        (reply.source, reply.destination) = (seen.destination, seen.source);
        let (_, out) = node.ingress(&reply.frame());
        let seen = take_apart(&out, TCP);
        assert_eq!((seen.source, seen.destination), (packet.destination, packet.source));
    }
    assert_eq!(ports[0], 40_000);
    assert!(ports[1] >= 61_000);
}

fn one_endpoint(reach: Reach, source: Option<&str>, beside_proxy: bool) -> Service {
    let source = source.map(|it| it.parse().unwrap());
    let endpoint = Endpoint { address: ENDPOINT[0].parse().unwrap(), reach, source };
    let backends = vec![Backend { weight: 1, endpoints: vec![endpoint] }];
    Service { backends, source_affinity: false, beside_proxy, gateway: 0 }
}

/// The connections that the proxy has stay its own.
#[test]
fn beside_a_proxy_only_a_syn_begins_a_connection() {
    let mut node = TestNode::new();
    node.serve_as(&one_endpoint(Reach::Forwarded, None, true), 0);
    let packet = Packet::tcp(CLIENT[0], LISTENER[0], SYN);
    for flags in [ACK, SYN | ACK, RST, FIN | ACK] {
        assert_eq!(node.ingress(&packet.with_flags(flags).frame()).0, Verdict::Pass, "{flags}");
    }
    assert_eq!(node.kernel.flows().unwrap(), []);
    assert_eq!(node.ingress(&packet.frame()).0, Verdict::Redirect);
    assert_eq!(
        node.ingress(&packet.with_flags(ACK).frame()).0,
        Verdict::Redirect,
        "of a connection that it has"
    );
    let datagram = Packet::udp(CLIENT[0], LISTENER[0]);
    assert_eq!(node.ingress(&datagram.frame()).0, Verdict::Redirect);
}

#[test]
fn a_masqueraded_packet_has_the_nodes_address_on_the_way_to_its_endpoint() {
    let mut node = TestNode::new();
    node.serve_as(&one_endpoint(Reach::Masqueraded, Some("198.51.100.254"), false), 0);
    let packet = Packet::tcp(CLIENT[0], LISTENER[0], SYN);
    let seen = take_apart(&node.ingress(&packet.frame()).1, TCP);
    assert_eq!(seen.source.ip().to_string(), "198.51.100.254");
    let mut reply = packet.reversed().with_flags(SYN | ACK);
    (reply.source, reply.destination) = (seen.destination, seen.source);
    let seen = take_apart(&node.ingress(&reply.frame()).1, TCP);
    assert_eq!((seen.source, seen.destination), (packet.destination, packet.source));
}
