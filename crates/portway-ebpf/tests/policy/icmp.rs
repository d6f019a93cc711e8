//! ICMP and other protocols without ports, and errors about what was let through.

use std::net::IpAddr;

use portway_ebpf::policy::TO_POD;
use portway_policy::{DirectionPolicy, Protocol};

use crate::guarded::{
    ANY, Guarded, OF_REMOTE, OUTSIDE, POD, REMOTE, Verdict, addresses, but_identity, isolated,
};
use crate::wire::{Packet, SYN, checksum, ethernet, transport_checksum};

/// A router on the way.
const ROUTER: [&str; 2] = ["198.51.100.1", "2001:db8:c::1"];
const ECHO: [(u8, u8); 2] = [(8, 0), (128, 129)];

/// An IP packet of another protocol than those with ports.
fn packet(source: IpAddr, destination: IpAddr, protocol: u8, hop_limit: u8, content: &[u8]) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut ip = vec![0x45, 0];
            ip.extend(u16::try_from(20 + content.len()).unwrap().to_be_bytes());
            ip.extend([0, 0, 0, 0, hop_limit, protocol, 0, 0]);
            ip.extend(source.octets());
            ip.extend(destination.octets());
            let sum = checksum(&[&ip]);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            ethernet(0x0800, &[&ip, content].concat())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut ip = vec![0x60, 0, 0, 0];
            ip.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            ip.extend([protocol, hop_limit]);
            ip.extend(source.octets());
            ip.extend(destination.octets());
            ethernet(0x86dd, &[&ip, content].concat())
        }
        _ => panic!("one family"),
    }
}

fn icmp(source: IpAddr, destination: IpAddr, kind: u8, rest: &[u8]) -> Vec<u8> {
    let protocol = if source.is_ipv4() { 1 } else { 58 };
    let mut message = [&[kind, 0, 0, 0], rest].concat();
    let sum = if source.is_ipv4() {
        checksum(&[&message])
    } else {
        transport_checksum(source, destination, protocol, &message)
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    packet(source, destination, protocol, 64, &message)
}

/// An error from `source` about a frame, of which it quotes `quoted` bytes after Ethernet.
fn error(source: &str, about: &[u8], quoted: usize) -> Vec<u8> {
    let source: IpAddr = source.parse().unwrap();
    let (to, ..) = crate::wire::take_apart_ip(&about[14..]);
    let quote = &about[14..(14 + quoted).min(about.len())];
    icmp(source, to, if source.is_ipv4() { 3 } else { 1 }, &[&[0, 0, 0, 0], quote].concat())
}

#[test]
fn an_echo_needs_a_rule_without_ports() {
    let every_port = &[(Protocol::Tcp, 0, 65535), (Protocol::Udp, 0, 65535)][..];
    let mut node = Guarded::new();
    for (ports, expected) in [(every_port, Verdict::Drop), (ANY, Verdict::Pass)] {
        node.enforce(but_identity(OF_REMOTE, ports), isolated());
        for family in 0..2 {
            let (pod, remote) = (addresses(POD)[family], addresses(REMOTE)[family]);
            let (request, reply) = if family == 0 { (8, 0) } else { ECHO[1] };
            let ask = icmp(remote, pod, request, &[0x12, 0x34, 0, 1]);
            let answer = icmp(pod, remote, reply, &[0x12, 0x34, 0, 1]);
            let other = icmp(pod, remote, reply, &[0x43, 0x21, 0, 1]);
            assert_eq!(node.gets(&ask), expected);
            assert_eq!(node.sends(&answer), expected);
            assert_eq!(node.sends(&other), Verdict::Drop, "an answer to nothing");
            assert_eq!(node.gets(&icmp(addresses(OUTSIDE)[family], pod, request, &[0; 4])), Verdict::Drop);
        }
    }
}

#[test]
fn other_protocols_need_one_as_well() {
    let mut node = Guarded::new();
    for (ports, expected) in [(&[(Protocol::Tcp, 0, 65535)][..], Verdict::Drop), (ANY, Verdict::Pass)] {
        node.enforce(but_identity(OF_REMOTE, ports), isolated());
        for family in 0..2 {
            let (pod, remote) = (addresses(POD)[family], addresses(REMOTE)[family]);
            // GRE.
            assert_eq!(node.gets(&packet(remote, pod, 47, 64, &[0; 16])), expected);
            assert_eq!(node.sends(&packet(pod, remote, 47, 64, &[0; 16])), expected, "the reply");
        }
    }
}

#[test]
fn sctp_has_ports() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, &[(Protocol::Sctp, 80, 80)]), isolated());
    for family in 0..2 {
        let (pod, remote) = (addresses(POD)[family], addresses(REMOTE)[family]);
        let header = |from: u16, to: u16| [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0; 8]].concat();
        assert_eq!(node.gets(&packet(remote, pod, 132, 64, &header(1000, 81))), Verdict::Drop);
        assert_eq!(node.gets(&packet(remote, pod, 132, 64, &header(1000, 80))), Verdict::Pass);
        assert_eq!(node.sends(&packet(pod, remote, 132, 64, &header(80, 1000))), Verdict::Pass);
        assert_eq!(node.gets(&packet(remote, pod, 132, 64, &header(1000, 80)[..8])), Verdict::Drop);
    }
}

#[test]
fn errors_about_flows_that_were_let_through_go_both_ways() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    for family in 0..2 {
        let client = Packet::tcp(REMOTE[family], POD[family], SYN);
        let reply = client.reversed();
        let router = ROUTER[family];
        let network = [20, 40][family];
        let about_reply = error(router, &reply.frame(), network + 8);
        assert_eq!(node.gets(&about_reply), Verdict::Drop, "of no flow yet");
        assert_eq!(node.gets(&client.frame()), Verdict::Pass);
        for quoted in [network + 8, 1000] {
            assert_eq!(node.gets(&error(router, &reply.frame(), quoted)), Verdict::Pass);
            let own = addresses(POD)[family].to_string();
            assert_eq!(node.sends(&error(&own, &client.frame(), quoted)), Verdict::Pass);
        }
        for quoted in 0..network + 4 {
            assert_eq!(node.gets(&error(router, &reply.frame(), quoted)), Verdict::Drop, "{quoted} bytes");
        }
        let mut stray = reply.clone();
        stray.destination.set_port(9);
        assert_eq!(node.gets(&error(router, &stray.frame(), 1000)), Verdict::Drop, "of another flow");
    }
}

#[test]
fn errors_about_what_a_pod_sends_come_back() {
    let mut node = Guarded::new();
    node.enforce(isolated(), but_identity(OF_REMOTE, ANY));
    for family in 0..2 {
        let sent = Packet::udp(POD[family], REMOTE[family]);
        assert_eq!(node.sends(&sent.frame()), Verdict::Pass);
        assert_eq!(node.gets(&error(ROUTER[family], &sent.frame(), 1000)), Verdict::Pass);
    }
}

#[test]
fn neighbours_on_the_link_find_each_other() {
    let mut node = Guarded::new();
    node.enforce(isolated(), isolated());
    let (pod, neighbour) = (node.pod, node.neighbour);
    node.confine_neighbour(isolated());
    let solicits = |hop_limit, kind| {
        let [source, destination] = ["fe80::1", "ff02::1:ff00:2"].map(|it| it.parse().unwrap());
        let message = [&[kind, 0, 0, 0], &[0; 20][..]].concat();
        packet(source, destination, 58, hop_limit, &message)
    };
    for kind in [133, 134, 135, 136] {
        assert_eq!(node.sends(&solicits(255, kind)), Verdict::Pass);
        assert_eq!(node.run(TO_POD, &solicits(255, kind), pod, neighbour), Verdict::Pass);
        // Not from this link: a router has let it through.
        assert_eq!(node.sends(&solicits(64, kind)), Verdict::Drop);
        assert_eq!(node.gets(&solicits(64, kind)), Verdict::Drop);
    }
    node.enforce(DirectionPolicy::open(), DirectionPolicy::open());
}
