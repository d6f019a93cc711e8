//! What the sender of a packet is told that goes no further.

use std::net::IpAddr;
use std::time::Instant;

use portway_ebpf::DropReason;
use portway_ebpf::kernel::INGRESS;
use portway_ebpf::service::Reach;

use crate::forwarding::first_packets;
use crate::icmp::take_apart_error;
use crate::node::{CLIENT, ENDPOINT, LISTENER, NODE, TestNode, Verdict, ip};
use crate::wire::{ACK, Packet, RST, SYN, TCP, UDP, take_apart};

const ETHERNET: usize = 14;

/// Where the ICMP header is, in a packet without options.
fn icmp(frame: &[u8]) -> &[u8] {
    &frame[ETHERNET + if frame[ETHERNET] >> 4 == 4 { 20 } else { 40 }..]
}

/// Sequence number, acknowledgement number and flags of a reset.
fn reset(frame: &[u8], packet: &Packet) -> (u32, u32, u8) {
    let seen = take_apart(frame, TCP);
    assert_eq!((seen.source, seen.destination), (packet.destination, packet.source));
    assert_eq!(seen.rest.len(), 16, "a header without options, and nothing else");
    let word = |at: usize| u32::from_be_bytes(seen.rest[at..at + 4].try_into().unwrap());
    (word(0), word(4), seen.rest[9])
}

fn assert_goes_back(sent: &[u8], answer: &[u8]) {
    assert_eq!([&sent[6..12], &sent[..6], &sent[12..14]].concat(), answer[..14], "to whoever sent it");
}

#[test]
fn connections_without_an_endpoint_are_reset() {
    let mut node = TestNode::new();
    node.serve(&[], Reach::Forwarded, 0);
    for family in 0..2 {
        let packet = Packet::tcp(CLIENT[family], LISTENER[family], SYN);
        let length = u32::try_from(packet.payload.len()).unwrap();
        let (verdict, out) = node.ingress(&packet.frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_goes_back(&packet.frame(), &out);
        // The packets here have 1 as sequence number and 2 as acknowledgement number.
        assert_eq!(reset(&out, &packet), (0, 1 + 1 + length, RST | ACK));

        let (verdict, out) = node.ingress(&packet.with_flags(ACK).frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(reset(&out, &packet), (2, 0, RST));
        assert_eq!(node.ingress(&packet.with_flags(RST).frame()).0, Verdict::Drop, "not answered");
    }
    assert_eq!(node.drops(), [(DropReason::NoEndpoint, 6)]);
}

#[test]
fn datagrams_without_an_endpoint_are_told_of_a_closed_port() {
    let mut node = TestNode::new();
    node.serve(&[], Reach::Forwarded, 0);
    for family in 0..2 {
        let packet = Packet::udp(CLIENT[family], LISTENER[family]);
        let frame = packet.frame();
        let (verdict, out) = node.ingress(&frame);
        assert_eq!(verdict, Verdict::Redirect);
        assert_goes_back(&frame, &out);
        let (source, destination, quote) = take_apart_error(&out);
        assert_eq!((source, destination), (NODE[family].parse::<IpAddr>().unwrap(), packet.source.ip()));
        assert_eq!(icmp(&out)[..2], [[3, 3], [1, 4]][family]);
        assert_eq!(quote, frame[ETHERNET..]);
    }
}

#[test]
fn the_sender_of_a_packet_that_is_too_big_is_told_what_fits() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    ip("link set pods mtu 1300");
    for mut packet in first_packets() {
        packet.payload = vec![1; 1400];
        let family = usize::from(packet.source.is_ipv6());
        let frame = packet.frame();
        let (verdict, out) = node.run(INGRESS, &frame, 0);
        assert_eq!(verdict, Verdict::Redirect);
        let (source, destination, quote) = take_apart_error(&out);
        assert_eq!((source, destination), (NODE[family].parse::<IpAddr>().unwrap(), packet.source.ip()));
        assert_eq!(icmp(&out)[..2], [[3, 4], [2, 0]][family]);
        assert_eq!(icmp(&out)[4..8], 1300_u32.to_be_bytes());
        assert_eq!(quote, frame[ETHERNET..][..128], "in the sender's own terms");
    }
}

#[test]
fn the_sender_of_a_packet_that_has_come_too_far_is_told() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for packet in first_packets() {
        let packet = Packet { hop_limit: 1, ..packet };
        let (verdict, out) = node.ingress(&packet.frame());
        assert_eq!(verdict, Verdict::Redirect);
        assert_eq!(take_apart_error(&out).2, packet.frame()[ETHERNET..]);
        assert_eq!(icmp(&out)[..2], [[11, 0], [3, 0]][usize::from(packet.source.is_ipv6())]);
    }
    assert_eq!(node.drops(), [(DropReason::HopLimit, 4)]);
}

#[test]
fn a_reset_has_no_ip_options() {
    let mut node = TestNode::new();
    node.serve(&[], Reach::Forwarded, 0);
    let packet = Packet { options: vec![1; 4], ..Packet::tcp(CLIENT[0], LISTENER[0], SYN) };
    assert_eq!(node.ingress(&packet.frame()).0, Verdict::Drop);
}

#[test]
fn a_flood_is_not_answered_by_another() {
    let mut node = TestNode::new();
    node.serve(&[], Reach::Forwarded, 0);
    let frame = Packet { protocol: UDP, ..Packet::udp(CLIENT[0], LISTENER[0]) }.frame();
    let began = Instant::now();
    let answered = (0..5_000).filter(|_| node.ingress(&frame).0 == Verdict::Redirect).count();
    // For each processor, and for each second or part of one that this took.
    let processors = std::thread::available_parallelism().unwrap().get();
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    assert!((1000..=1000 * processors * seconds).contains(&answered), "{answered} in {seconds} s");
    assert_eq!(node.drops(), [(DropReason::NoEndpoint, 5_000)]);
}
