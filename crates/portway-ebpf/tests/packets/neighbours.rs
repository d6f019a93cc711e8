//! Endpoints on other nodes that are neighbours, which packets are left to as they are.

use portway_ebpf::DropReason;
use portway_ebpf::layout::{FLOW_ESTABLISHED, FLOW_FROM_CLIENT, FLOW_REPLIED};
use portway_ebpf::service::{Backend, Endpoint, Reach, Service};

use crate::forwarding::first_packets;
use crate::icmp::{error, take_apart_error};
use crate::node::{CLIENT, ENDPOINT, LISTENER, NODE, TestNode, Verdict, ip};
use crate::wire::{ACK, Packet, SYN, Seen, TCP, take_apart};

/// Another node, on the link of the clients.
const NEIGHBOUR: [&str; 2] = ["198.51.100.9", "2001:db8:c::9"];
/// The source of all frames here.
const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Serves by endpoints on other nodes, in both families.
fn serve(node: &mut TestNode, nodes: [&str; 2]) {
    let endpoint = |family: usize| {
        let reach = Reach::OnNeighbour(nodes[family].parse().unwrap());
        Endpoint { address: ENDPOINT[family].parse().unwrap(), reach, source: None }
    };
    let backends = vec![Backend { weight: 1, endpoints: vec![endpoint(0), endpoint(1)] }];
    node.serve_as(&Service { backends, source_affinity: false, beside_proxy: false, gateway: 0 }, 0);
}

/// A packet as it is on its next link.
fn passed_on(packet: &Packet) -> Seen {
    let mut seen = take_apart(&packet.frame(), packet.protocol);
    seen.hop_limit -= 1;
    seen
}

#[test]
fn packets_are_left_to_the_node_as_they_are() {
    let mut node = TestNode::new();
    serve(&mut node, NEIGHBOUR);
    for packet in first_packets() {
        for flags in [SYN, ACK, ACK] {
            let packet = packet.with_flags(flags);
            let (verdict, out) = node.ingress(&packet.frame());
            assert_eq!(verdict, Verdict::Redirect, "{packet:?}: {:?}", node.drops());
            assert_eq!(take_apart(&out, packet.protocol), passed_on(&packet));
        }
    }
    assert_eq!(node.drops(), []);
}

/// Of a client behind this node: what the endpoint's node answers comes by here, and must not meet the node's own tracking of
/// connections, which has seen none.
#[test]
fn replies_that_come_by_are_passed_on_as_they_are() {
    let mut node = TestNode::new();
    serve(&mut node, NEIGHBOUR);
    for packet in first_packets() {
        node.ingress(&packet.frame());
        let reply = packet.reversed().with_flags(SYN | ACK);
        let (verdict, out) = node.ingress(&reply.frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(take_apart(&out, packet.protocol), passed_on(&reply));
    }
}

#[test]
fn a_client_that_goes_on_is_taken_to_have_been_answered() {
    let mut node = TestNode::new();
    serve(&mut node, NEIGHBOUR);
    let packet = Packet::tcp(CLIENT[0], LISTENER[0], SYN);
    let state = |node: &mut TestNode, flags| {
        node.ingress(&packet.with_flags(flags).frame());
        let flows = node.kernel.flows().unwrap();
        assert_eq!(flows.len(), 2);
        flows.iter().find(|(_, it)| it.direction == FLOW_FROM_CLIENT).unwrap().1.state
    };
    assert_eq!(state(&mut node, SYN), 0);
    assert_eq!(state(&mut node, SYN), 0, "sent once more");
    assert_eq!(state(&mut node, ACK), FLOW_REPLIED | FLOW_ESTABLISHED);
}

#[test]
fn what_comes_from_a_node_is_not_left_to_a_third() {
    let mut node = TestNode::new();
    serve(&mut node, NEIGHBOUR);
    node.kernel.tell_neighbours(&[SOURCE].into()).unwrap();
    for packet in first_packets() {
        let family = usize::from(packet.source.is_ipv6());
        let (verdict, out) = node.ingress(&packet.frame());
        assert_eq!(verdict, Verdict::Redirect);
        let seen = take_apart(&out, packet.protocol);
        assert_eq!(seen.source.ip().to_string(), NODE[family]);
        assert_eq!(seen.destination, ENDPOINT[family].parse().unwrap());
    }
    node.kernel.tell_neighbours(&[[2, 0, 0, 0, 0, 3]].into()).unwrap();
    let packet = Packet::tcp("198.51.100.8:40000", LISTENER[0], SYN);
    let (_, out) = node.ingress(&packet.frame());
    assert_eq!(take_apart(&out, TCP), passed_on(&packet), "it is no node any more");
}

#[test]
fn a_node_behind_a_router_gets_nothing() {
    let mut node = TestNode::new();
    ip("route add 203.0.113.0/24 via 198.51.100.250");
    ip("route add 2001:db8:f::/64 via 2001:db8:c::250");
    serve(&mut node, ["203.0.113.9", "2001:db8:f::9"]);
    for packet in first_packets() {
        assert_eq!(node.ingress(&packet.frame()), (Verdict::Drop, packet.frame()));
    }
    assert_eq!(node.drops(), [(DropReason::NoRoute, 4)]);
}

#[test]
fn errors_about_replies_are_left_to_the_node_too() {
    let mut node = TestNode::new();
    serve(&mut node, NEIGHBOUR);
    for packet in first_packets() {
        let family = usize::from(packet.source.is_ipv6());
        node.ingress(&packet.frame());
        let reply = packet.reversed().with_flags(SYN | ACK).frame();
        let router = ["198.51.100.1", "2001:db8:c::1"][family].parse().unwrap();
        let too_big = error(router, [(3, 4), (2, 0)][family], &reply, 1000);
        let (verdict, out) = node.ingress(&too_big);
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(take_apart_error(&out), take_apart_error(&too_big));
    }
    assert_eq!(node.drops(), []);
}

/// Two pods at one bridge answer each other without the node.
#[test]
fn an_endpoint_on_the_link_of_its_client_does_not_see_it() {
    let mut node = TestNode::new();
    node.serve(&[["198.51.100.20:8080", "[2001:db8:c::20]:8080"]], Reach::Forwarded, 0);
    for packet in first_packets() {
        let family = usize::from(packet.source.is_ipv6());
        let (verdict, out) = node.ingress(&packet.frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(take_apart(&out, packet.protocol).source.ip().to_string(), NODE[family]);
    }
    ip("route add 192.0.2.128/25 via 198.51.100.250");
    let packet = Packet::tcp("192.0.2.200:40000", LISTENER[0], SYN);
    let (_, out) = node.ingress(&packet.frame());
    assert_eq!(take_apart(&out, TCP).source, packet.source, "its client is behind a router");
}
