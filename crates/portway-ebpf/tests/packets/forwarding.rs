//! What a packet looks like when it leaves, and what is not touched.

use portway_ebpf::DropReason;
use portway_ebpf::kernel::INGRESS;
use portway_ebpf::service::Reach;

use crate::node::{CLIENT, ENDPOINT, LISTENER, NODE, TestNode, Verdict, ip};
use crate::wire::{ACK, Packet, SYN, Seen, TCP, UDP, ethernet, take_apart};

/// Of both transports and both families.
pub(crate) fn first_packets() -> Vec<Packet> {
    (0..2)
        .flat_map(|family| {
            let (client, listener) = (CLIENT[family], LISTENER[family]);
            [Packet::tcp(client, listener, SYN), Packet::udp(client, listener)]
        })
        .collect()
}

fn family(packet: &Packet) -> usize {
    usize::from(packet.source.is_ipv6())
}

/// What a packet is when it has got these addresses on its way.
fn expected(packet: &Packet, source: &str, destination: &str) -> Seen {
    let mut seen = take_apart(&packet.frame(), packet.protocol);
    seen.source = source.parse().unwrap();
    seen.destination = destination.parse().unwrap();
    seen.hop_limit -= 1;
    seen
}

#[test]
fn to_the_endpoint_and_back_with_the_clients_address_kept() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for packet in first_packets() {
        let family = family(&packet);
        let (client, listener, endpoint) = (CLIENT[family], LISTENER[family], ENDPOINT[family]);
        let (verdict, out) = node.ingress(&packet.frame());
        assert_eq!(verdict, Verdict::Redirect, "{packet:?}: {:?}", node.drops());
        assert_eq!(take_apart(&out, packet.protocol), expected(&packet, client, endpoint));

        let mut reply = packet.reversed().with_flags(SYN | ACK);
        reply.source = endpoint.parse().unwrap();
        let (verdict, out) = node.ingress(&reply.frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(take_apart(&out, packet.protocol), expected(&reply, listener, client));
    }
    assert_eq!(node.drops(), []);
}

#[test]
fn what_is_not_ours_is_passed_on_untouched() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let mut frames = vec![ethernet(0x0806, &[0; 28]), ethernet(0x88cc, &[0; 50])];
    for packet in first_packets() {
        let mut other_port = packet.clone();
        other_port.destination.set_port(81);
        let mut other_protocol = packet.clone();
        other_protocol.protocol = 132;
        let reply_without_flow = packet.reversed();
        frames.extend([other_port, other_protocol, reply_without_flow].map(|it| it.frame()));
    }
    for frame in frames {
        assert_eq!(node.ingress(&frame), (Verdict::Pass, frame.clone()));
        assert_eq!(node.egress(&frame), (Verdict::Pass, frame.clone()));
    }
    assert_eq!(node.drops(), []);
    assert_eq!(node.kernel.flows().unwrap(), []);
}

#[test]
fn without_a_checksum_udp_over_ipv4_stays_without() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let packet = Packet { without_checksum: true, ..Packet::udp(CLIENT[0], LISTENER[0]) };
    let (verdict, out) = node.ingress(&packet.frame());
    assert_eq!(verdict, Verdict::Redirect);
    assert_eq!(out[14 + 20 + 6..][..2], [0, 0]);
    assert_eq!(take_apart(&out, UDP), expected(&packet, CLIENT[0], ENDPOINT[0]));
}

#[test]
fn ipv4_options_are_kept() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for words in 1..=10 {
        for mut packet in [Packet::tcp(CLIENT[0], LISTENER[0], SYN), Packet::udp(CLIENT[0], LISTENER[0])] {
            // No operation, as often as there is room.
            packet.options = vec![1; words * 4];
            let (verdict, out) = node.ingress(&packet.frame());
            assert_eq!(verdict, Verdict::Redirect);
            assert_eq!(take_apart(&out, packet.protocol), expected(&packet, CLIENT[0], ENDPOINT[0]));
            assert_eq!(out[14 + 20..][..words * 4], packet.options);
        }
    }
}

/// An extension header of `length` times 8 bytes, filled with padding.
fn extension(kind: u8, length: u8) -> (u8, Vec<u8>) {
    let mut header = vec![0; usize::from(length) * 8];
    header[1] = length - 1;
    if kind != 43 {
        // PadN over all of it (RFC 8200, section 4.2).
        header[2] = 1;
        header[3] = length * 8 - 4;
    }
    (kind, header)
}

#[test]
fn ipv6_extension_headers_are_kept() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let chains = [
        vec![extension(0, 1)],
        vec![extension(60, 3)],
        vec![extension(43, 2)],
        vec![extension(0, 2), extension(60, 1), extension(43, 3), extension(60, 2)],
        vec![extension(0, 1), extension(60, 1), extension(43, 1), extension(60, 1), extension(60, 1)],
    ];
    for extensions in chains {
        for mut packet in [Packet::tcp(CLIENT[1], LISTENER[1], SYN), Packet::udp(CLIENT[1], LISTENER[1])] {
            packet.extensions.clone_from(&extensions);
            let (verdict, out) = node.ingress(&packet.frame());
            assert_eq!(verdict, Verdict::Redirect, "{extensions:?}");
            assert_eq!(take_apart(&out, packet.protocol), expected(&packet, CLIENT[1], ENDPOINT[1]));
        }
    }
}

#[test]
fn what_is_on_its_way_to_somewhere_else_first_is_not_ours() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let mut routed = extension(43, 3);
    // Segments left.
    routed.1[3] = 1;
    let too_many = vec![extension(60, 1); 8];
    for extensions in [vec![routed], too_many] {
        let packet = Packet { extensions, ..Packet::tcp(CLIENT[1], LISTENER[1], SYN) };
        assert_eq!(node.ingress(&packet.frame()), (Verdict::Pass, packet.frame()));
    }
}

#[test]
fn fragments_follow_the_first() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for family in 0..2 {
        let mut packet = Packet::udp(CLIENT[family], LISTENER[family]);
        packet.payload = (0..200_u8).collect();
        let segment = packet.segment();
        let (first, later) = segment.split_at(80);
        let unknown = packet.fragment(later, 10, false);
        assert_eq!(node.ingress(&unknown), (Verdict::Pass, unknown.clone()), "its first has not come");

        let (verdict, out) = node.ingress(&packet.fragment(first, 0, true));
        assert_eq!(verdict, Verdict::Redirect);
        let (.., content) = crate::wire::take_apart_ip(&out[14..]);
        let (verdict, out) = node.ingress(&unknown);
        assert_eq!(verdict, Verdict::Redirect);
        let (source, destination, hop_limit, rest) = crate::wire::take_apart_ip(&out[14..]);
        assert_eq!(source, packet.source.ip());
        assert_eq!(destination.to_string(), ["10.0.0.1", "fd00::1"][family]);
        assert_eq!(hop_limit, 63);
        // Put together again, the checksum of the whole holds.
        let whole = [content, rest].concat();
        assert_eq!(crate::wire::transport_checksum(source, destination, UDP, &whole), 0);
    }
}

#[test]
fn masqueraded_packets_have_the_nodes_address_and_a_port_of_its_own() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Masqueraded, 0);
    for packet in first_packets() {
        let family = family(&packet);
        let (verdict, out) = node.ingress(&packet.frame());
        assert_eq!(verdict, Verdict::Redirect);
        let seen = take_apart(&out, packet.protocol);
        assert_eq!(seen.source.ip().to_string(), NODE[family]);
        assert!(seen.source.port() >= 61_000, "{seen:?}");
        assert_eq!(seen.destination, ENDPOINT[family].parse().unwrap());

        let mut reply = packet.reversed().with_flags(SYN | ACK);
        (reply.source, reply.destination) = (seen.destination, seen.source);
        let (verdict, out) = node.ingress(&reply.frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(take_apart(&out, packet.protocol), expected(&reply, LISTENER[family], CLIENT[family]));
    }
}

#[test]
fn an_endpoint_that_is_its_own_client_is_sent_to_itself_under_the_nodes_address() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let packet = Packet::tcp("10.0.0.1:40000", LISTENER[0], SYN);
    let (verdict, out) = node.ingress(&packet.frame());
    assert_eq!(verdict, Verdict::Redirect);
    let seen = take_apart(&out, TCP);
    assert_eq!(seen.source.ip().to_string(), NODE[0]);
    assert_eq!(seen.destination, ENDPOINT[0].parse().unwrap());
}

#[test]
fn endpoints_on_the_node_are_reached_by_its_own_stack() {
    let mut node = TestNode::new();
    node.serve(&[["10.0.0.254:8080", "[fd00::fe]:8080"]], Reach::OnNode, 0);
    for packet in first_packets() {
        let (client, listener) = (CLIENT[family(&packet)], LISTENER[family(&packet)]);
        let endpoint = ["10.0.0.254:8080", "[fd00::fe]:8080"][family(&packet)];
        let unhurried = |mut seen: Seen| {
            seen.hop_limit += 1;
            seen
        };
        let (verdict, out) = node.ingress(&packet.frame());
        assert_eq!(verdict, Verdict::Pass);
        assert_eq!(take_apart(&out, packet.protocol), unhurried(expected(&packet, client, endpoint)));
        let mut reply = packet.reversed().with_flags(SYN | ACK);
        reply.source = endpoint.parse().unwrap();
        let (verdict, out) = node.egress(&reply.frame());
        assert_eq!(verdict, Verdict::Pass);
        assert_eq!(take_apart(&out, packet.protocol), unhurried(expected(&reply, listener, client)));
    }
}

#[test]
fn joined_segments_are_measured_by_what_they_part_into() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for family in 0..2 {
        let mut packet = Packet::tcp(CLIENT[family], LISTENER[family], SYN);
        packet.payload = vec![7; 3000];
        let (verdict, out) = node.run(INGRESS, &packet.frame(), 1400);
        assert_eq!(verdict, Verdict::Redirect, "{:?}", node.drops());
        assert_eq!(take_apart(&out, TCP), expected(&packet, CLIENT[family], ENDPOINT[family]));
        assert_ne!(node.run(INGRESS, &packet.frame(), 1500).1.len(), packet.frame().len());
    }
    assert_eq!(node.drops(), [(DropReason::TooBig, 2)]);
}

#[test]
fn each_drop_has_its_reason() {
    let mut node = TestNode::new();
    let packet = Packet::tcp(CLIENT[0], LISTENER[0], SYN);
    let dropped = |node: &mut TestNode, frame: &[u8]| {
        let before = node.kernel.drops().unwrap();
        node.ingress(frame);
        let after = node.kernel.drops().unwrap();
        let changed: Vec<_> = after.iter().zip(before).filter(|(new, old)| new.1 != old.1).collect();
        assert_eq!(changed.len(), 1);
        changed[0].0.0
    };
    node.serve(&[], Reach::Forwarded, 0);
    assert_eq!(dropped(&mut node, &packet.frame()), DropReason::NoEndpoint);
    node.serve(&[["203.0.113.1:80", "[2001:db8:f::1]:80"]], Reach::Forwarded, 0);
    assert_eq!(dropped(&mut node, &packet.frame()), DropReason::NoRoute);
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let packet = Packet::tcp("198.51.100.8:40000", LISTENER[0], SYN);
    assert_eq!(dropped(&mut node, &Packet { hop_limit: 1, ..packet.clone() }.frame()), DropReason::HopLimit);
    ip("link set pods mtu 1300");
    let large = Packet { payload: vec![1; 1400], ..packet.clone() };
    assert_eq!(dropped(&mut node, &large.frame()), DropReason::TooBig);
    let may_be_parted = Packet { dont_fragment: false, ..large };
    assert_eq!(node.ingress(&may_be_parted.frame()).0, Verdict::Pass, "by the stack");
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    assert_eq!(dropped(&mut node, &packet.frame()), DropReason::ForwardingDisabled);
}
