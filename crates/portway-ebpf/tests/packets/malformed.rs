//! Packets that lie or are cut short. Nothing of them may be forwarded, and nothing else may be touched.

use portway_ebpf::DropReason;
use portway_ebpf::service::Reach;

use crate::forwarding::first_packets;
use crate::node::{CLIENT, ENDPOINT, LISTENER, TestNode, Verdict};
use crate::wire::{Packet, SYN, checksum};

const ETHERNET: usize = 14;

fn with_everything() -> Vec<Packet> {
    let mut packets = first_packets();
    for packet in &mut packets {
        packet.payload.clear();
        if packet.source.is_ipv4() {
            packet.options = vec![1; 8];
        } else {
            packet.extensions = vec![(0, vec![0, 0, 1, 4, 0, 0, 0, 0]), (60, vec![0, 0, 1, 4, 0, 0, 0, 0])];
        }
    }
    packets
}

/// The shortest frame that the kernel takes for a test run: up to the end of a whole IP header.
pub(crate) fn shortest(packet: &Packet) -> usize {
    ETHERNET + if packet.source.is_ipv4() { 20 } else { 40 }
}

#[test]
fn a_frame_cut_short_at_every_byte_is_passed_on_untouched() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for packet in with_everything() {
        let frame = packet.frame();
        for length in shortest(&packet)..frame.len() {
            let short = frame[..length].to_vec();
            assert_eq!(node.ingress(&short), (Verdict::Pass, short.clone()), "{length} bytes of {packet:?}");
            assert_eq!(node.egress(&short), (Verdict::Pass, short), "{length} bytes of {packet:?}");
        }
        assert_eq!(node.ingress(&frame).0, Verdict::Redirect);
    }
    assert_eq!(node.drops(), []);
}

/// The frame with an IP packet of `length` bytes, as its header says as well.
fn shortened(packet: &Packet, length: usize) -> Vec<u8> {
    let mut frame = packet.frame()[..ETHERNET + length].to_vec();
    let ip = &mut frame[ETHERNET..];
    if packet.source.is_ipv4() {
        ip[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        ip[10..12].fill(0);
        let header = 20 + packet.options.len();
        let sum = checksum(&[&ip[..header.min(length)]]);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        ip[4..6].copy_from_slice(&u16::try_from(length - 40).unwrap().to_be_bytes());
    }
    frame
}

#[test]
fn a_packet_that_ends_within_its_headers_is_never_forwarded() {
    for packet in with_everything() {
        let mut node = TestNode::new();
        node.serve(&[ENDPOINT], Reach::Forwarded, 0);
        let network = if packet.source.is_ipv4() { 20 } else { 40 };
        let ports = network + packet.options.len() + 16 * usize::from(packet.source.is_ipv6()) + 4;
        let whole = packet.frame().len() - ETHERNET;
        for length in network..whole {
            let frame = shortened(&packet, length);
            // Padding, as Ethernet asks for, is not a part of the packet.
            let padded = [frame.clone(), vec![0xff; 30]].concat();
            for frame in [frame, padded] {
                let (verdict, out) = node.ingress(&frame);
                let expected = if length < ports { Verdict::Pass } else { Verdict::Drop };
                assert_eq!((verdict, out), (expected, frame), "{length} bytes of {packet:?}");
            }
        }
        let cut = u64::try_from(2 * (whole - ports)).unwrap();
        assert_eq!(node.drops(), [(DropReason::HeaderCutShort, cut)]);
        assert_eq!(node.kernel.flows().unwrap(), []);
    }
}

#[test]
fn a_tcp_header_that_says_a_wrong_length_is_dropped() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let packet = Packet { payload: vec![], ..Packet::tcp(CLIENT[0], LISTENER[0], SYN) };
    for words in (0..5).chain(6..16) {
        let mut frame = packet.frame();
        frame[ETHERNET + 20 + 12] = words << 4;
        assert_eq!(node.ingress(&frame).0, Verdict::Drop, "{words} words");
    }
}

#[test]
fn ip_headers_that_lie_are_not_ours() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    let changes: [(usize, usize, u8); 7] = [
        // Version and length of the header.
        (0, 0, 0x65),
        (0, 0, 0x44),
        (0, 0, 0x4f),
        // Length of the packet.
        (0, 2, 0xff),
        (0, 3, 19),
        (1, 0, 0x40),
        (1, 4, 0xff),
    ];
    for (family, at, value) in changes {
        let mut frame = Packet::udp(CLIENT[family], LISTENER[family]).frame();
        frame[ETHERNET + at] = value;
        assert_eq!(node.ingress(&frame), (Verdict::Pass, frame.clone()), "byte {at} is {value}");
    }
    assert_eq!(node.drops(), []);
}

#[test]
fn a_wrong_checksum_stays_wrong() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for packet in first_packets() {
        let mut frame = packet.frame();
        let last = frame.len() - 1;
        frame[last] ^= 0x55;
        let (verdict, out) = node.ingress(&frame);
        assert_eq!(verdict, Verdict::Redirect);
        let (source, destination, _, segment) = crate::wire::take_apart_ip(&out[ETHERNET..]);
        assert_ne!(crate::wire::transport_checksum(source, destination, packet.protocol, &segment), 0);
    }
}

/// A switch that does not know the way of a frame sends it to all nodes: one of them is meant.
#[test]
fn frames_for_another_host_are_passed_on_untouched() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for packet in first_packets() {
        let mut frame = packet.frame();
        frame[0] = 2;
        assert_eq!(node.ingress(&frame), (Verdict::Pass, frame.clone()));
        frame[0] = 0;
        assert_eq!(node.ingress(&frame).0, Verdict::Redirect);
    }
}
