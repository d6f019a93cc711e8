//! What is known of flows.

use std::time::Duration;

use portway_ebpf::layout::{
    FLOW_ESTABLISHED, FLOW_FIN_FROM_CLIENT, FLOW_FIN_FROM_ENDPOINT, FLOW_FROM_CLIENT, FLOW_REPLIED,
    FLOW_RESET, Flow,
};
use portway_ebpf::service::Reach;
use portway_ebpf::{Limits, Sweep};

use crate::node::{CLIENT, ENDPOINT, LISTENER, OTHER_ENDPOINT, TestNode, Verdict, small};
use crate::wire::{ACK, FIN, Packet, RST, SYN, take_apart};

fn from_client(node: &mut TestNode) -> Flow {
    let flows = node.kernel.flows().unwrap();
    let mut of_clients = flows.iter().filter(|(_, flow)| flow.direction == FLOW_FROM_CLIENT);
    let (_, flow) = of_clients.next().unwrap();
    assert_eq!(of_clients.next(), None);
    *flow
}

/// Client, and endpoint as the client knows it.
struct Connection {
    client: Packet,
    endpoint: Packet,
}

fn connection(client: &str) -> Connection {
    let client = Packet::tcp(client, LISTENER[0], SYN);
    let mut endpoint = client.reversed();
    endpoint.source = ENDPOINT[0].parse().unwrap();
    Connection { client, endpoint }
}

impl Connection {
    fn client_sends(&self, node: &mut TestNode, flags: u8) {
        assert_eq!(node.ingress(&self.client.with_flags(flags).frame()).0, Verdict::Redirect);
    }

    fn endpoint_sends(&self, node: &mut TestNode, flags: u8) {
        assert_eq!(node.ingress(&self.endpoint.with_flags(flags).frame()).0, Verdict::Redirect);
    }

    fn establish(&self, node: &mut TestNode) {
        self.client_sends(node, SYN);
        self.endpoint_sends(node, SYN | ACK);
        self.client_sends(node, ACK);
    }
}

#[test]
fn a_connection_is_followed_from_its_first_to_its_last_packet() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let it = connection(CLIENT[0]);
    it.client_sends(&mut node, SYN);
    assert_eq!(from_client(&mut node).state, 0);
    it.client_sends(&mut node, SYN);
    assert_eq!(from_client(&mut node).state, 0, "sent once more");
    it.endpoint_sends(&mut node, SYN | ACK);
    assert_eq!(from_client(&mut node).state, FLOW_REPLIED);
    it.client_sends(&mut node, ACK);
    assert_eq!(from_client(&mut node).state, FLOW_REPLIED | FLOW_ESTABLISHED);
    it.client_sends(&mut node, FIN | ACK);
    let half = FLOW_REPLIED | FLOW_ESTABLISHED | FLOW_FIN_FROM_CLIENT;
    assert_eq!(from_client(&mut node).state, half);
    it.endpoint_sends(&mut node, FIN | ACK);
    assert_eq!(from_client(&mut node).state, half | FLOW_FIN_FROM_ENDPOINT);
    it.client_sends(&mut node, ACK);
    let flow = from_client(&mut node);
    assert_eq!(flow.packets, 5);
    assert_eq!(node.kernel.flows().unwrap().len(), 2, "one for each direction, in one map");
}

#[test]
fn a_new_connection_may_follow_a_closed_one_under_its_ports() {
    for last in [RST, FIN] {
        let mut node = TestNode::new();
        node.serve(&[ENDPOINT], Reach::Forwarded, 0);
        let it = connection(CLIENT[0]);
        it.establish(&mut node);
        node.serve(&[OTHER_ENDPOINT], Reach::Forwarded, 0);
        it.client_sends(&mut node, last | ACK);
        if last == FIN {
            it.endpoint_sends(&mut node, FIN | ACK);
        } else {
            assert_eq!(from_client(&mut node).state & FLOW_RESET, FLOW_RESET);
        }
        let (verdict, out) = node.ingress(&it.client.frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(take_apart(&out, 6).destination, OTHER_ENDPOINT[0].parse().unwrap());
        assert_eq!(from_client(&mut node).state, 0);
    }
}

#[test]
fn a_connection_that_came_by_another_node_before_goes_on_where_it_was() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT, OTHER_ENDPOINT], Reach::Forwarded, 0);
    let mut another = TestNode::new();
    another.serve(&[OTHER_ENDPOINT, ENDPOINT], Reach::Forwarded, 0);
    for port in 0..50 {
        let mut packet = Packet::tcp(CLIENT[0], LISTENER[0], SYN);
        packet.source.set_port(50_000 + port);
        let (_, before) = node.ingress(&packet.frame());
        let (_, after) = another.ingress(&packet.with_flags(ACK).frame());
        assert_eq!(take_apart(&before, 6).destination, take_apart(&after, 6).destination);
    }
}

#[test]
fn a_flood_of_forged_addresses_drives_no_established_connection_out() {
    let limits = Limits { flows: 512, new_flows: 512, ..small() };
    let mut node = TestNode::with_limits(&limits);
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let connections: Vec<_> =
        (0..50).map(|it| connection(&format!("198.51.100.9:{}", 41_000 + it))).collect();
    for it in &connections {
        it.establish(&mut node);
    }
    for forged in 0..5_000_u16 {
        let [high, low] = forged.to_be_bytes();
        let packet = Packet::tcp(&format!("198.18.{high}.{low}:1024"), LISTENER[0], SYN);
        assert_eq!(node.ingress(&packet.frame()).0, Verdict::Redirect);
    }
    node.serve(&[OTHER_ENDPOINT], Reach::Forwarded, 0);
    for it in &connections {
        let (verdict, out) = node.ingress(&it.client.with_flags(ACK).frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(take_apart(&out, 6).destination, ENDPOINT[0].parse().unwrap(), "not chosen anew");
        it.endpoint_sends(&mut node, ACK);
    }
}

#[test]
fn silence_ends_a_flow() {
    let short = Duration::from_millis(1);
    let limits = Limits { tcp_transitory_timeout: short, udp_timeout: short, ..small() };
    let mut node = TestNode::with_limits(&limits);
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let packets = [Packet::tcp(CLIENT[0], LISTENER[0], SYN), Packet::udp(CLIENT[1], LISTENER[1])];
    for packet in &packets {
        assert_eq!(node.ingress(&packet.frame()).0, Verdict::Redirect);
    }
    node.serve(&[OTHER_ENDPOINT], Reach::Forwarded, 0);
    // The programs' clock goes by the timer interrupt, of which there may be no more than 100 in a second.
    std::thread::sleep(Duration::from_millis(50));
    for (packet, endpoint) in packets.iter().zip(OTHER_ENDPOINT) {
        let mut reply = packet.reversed();
        reply.source = ENDPOINT[usize::from(packet.source.is_ipv6())].parse().unwrap();
        assert_eq!(node.ingress(&reply.frame()).0, Verdict::Pass, "too late");
        let (_, out) = node.ingress(&packet.frame());
        assert_eq!(take_apart(&out, packet.protocol).destination, endpoint.parse().unwrap());
    }
}

#[test]
fn sweeping_leaves_what_is_not_over() {
    let limits = Limits { udp_timeout: Duration::from_millis(1), ..small() };
    let mut node = TestNode::with_limits(&limits);
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for listener in LISTENER {
        let client = if listener.starts_with('[') { CLIENT[1] } else { CLIENT[0] };
        assert_eq!(node.ingress(&Packet::udp(client, listener).frame()).0, Verdict::Redirect);
    }
    connection(CLIENT[0]).establish(&mut node);
    assert_eq!(node.kernel.flows().unwrap().len(), 6);
    std::thread::sleep(Duration::from_millis(50));
    let swept = node.kernel.sweep(&limits).unwrap();
    assert_eq!(swept, Sweep { removed: 4, flows: 2, new_flows: 0, connections: 1 });
    assert_eq!(node.kernel.flows().unwrap().len(), 2);
    connection(CLIENT[0]).endpoint_sends(&mut node, ACK);
}
