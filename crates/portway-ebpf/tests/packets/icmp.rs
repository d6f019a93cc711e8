//! ICMP errors about packets of a flow, from both sides.

use std::net::{IpAddr, SocketAddr};

use portway_ebpf::service::Reach;

use crate::forwarding::first_packets;
use crate::node::{CLIENT, ENDPOINT, LISTENER, NODE, TestNode, Verdict};
use crate::wire::{Packet, TCP, checksum, ethernet, take_apart, take_apart_ip, transport_checksum};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Routers on the way to clients, and to endpoints.
const CLIENTS_ROUTER: [&str; 2] = ["198.51.100.1", "2001:db8:c::1"];
const ENDPOINTS_ROUTER: [&str; 2] = ["10.0.0.100", "fd00::100"];

/// Destination unreachable for being too big, or the port closed; time exceeded; parameter problem.
fn kinds(family: usize) -> &'static [(u8, u8)] {
    [&[(3, 4), (3, 3), (11, 0), (12, 0)][..], &[(2, 0), (1, 4), (3, 0), (4, 0)]][family]
}

/// An error from `source` about `about`, of which it quotes the first bytes after Ethernet.
pub(crate) fn error(source: IpAddr, (kind, code): (u8, u8), about: &[u8], quoted: usize) -> Vec<u8> {
    let quote = &about[14..(14 + quoted).min(about.len())];
    let (to, ..) = take_apart_ip(&about[14..]);
    let mut icmp = [&[kind, code, 0, 0, 0, 0, 0x05, 0x14], quote].concat();
    match (source, to) {
        (IpAddr::V4(source), IpAddr::V4(to)) => {
            let sum = checksum(&[&icmp]);
            icmp[2..4].copy_from_slice(&sum.to_be_bytes());
            let mut ip = vec![0x45, 0xc0];
            ip.extend(u16::try_from(20 + icmp.len()).unwrap().to_be_bytes());
            ip.extend([0, 0, 0, 0, 64, ICMP, 0, 0]);
            ip.extend(source.octets());
            ip.extend(to.octets());
            let sum = checksum(&[&ip]);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            ethernet(0x0800, &[ip, icmp].concat())
        }
        (IpAddr::V6(from), IpAddr::V6(destination)) => {
            let sum = transport_checksum(source, to, ICMPV6, &icmp);
            icmp[2..4].copy_from_slice(&sum.to_be_bytes());
            let mut ip = vec![0x60, 0, 0, 0];
            ip.extend(u16::try_from(icmp.len()).unwrap().to_be_bytes());
            ip.extend([ICMPV6, 64]);
            ip.extend(from.octets());
            ip.extend(destination.octets());
            ethernet(0x86dd, &[ip, icmp].concat())
        }
        _ => panic!("one family"),
    }
}

/// Source, destination and quoted packet of an error, whose checksum must hold.
pub(crate) fn take_apart_error(frame: &[u8]) -> (IpAddr, IpAddr, Vec<u8>) {
    let (source, destination, _, icmp) = take_apart_ip(&frame[14..]);
    let sum = match source {
        IpAddr::V4(_) => checksum(&[&icmp]),
        IpAddr::V6(_) => transport_checksum(source, destination, ICMPV6, &icmp),
    };
    assert_eq!(sum, 0, "checksum of the error");
    (source, destination, icmp[8..].to_vec())
}

/// A flow, as it is on either side of the node.
struct Sides {
    family: usize,
    from_client: Packet,
    /// What the endpoint gets, and what it answers.
    to_endpoint: Vec<u8>,
    from_endpoint: Packet,
    to_client: Vec<u8>,
}

fn flow(node: &mut TestNode, packet: &Packet) -> Sides {
    let (_, to_endpoint) = node.ingress(&packet.frame());
    let seen = take_apart(&to_endpoint, packet.protocol);
    let mut reply = packet.reversed();
    (reply.source, reply.destination) = (seen.destination, seen.source);
    let (verdict, to_client) = node.ingress(&reply.frame());
    assert_eq!(verdict, Verdict::Redirect);
    let family = usize::from(packet.source.is_ipv6());
    Sides { family, from_client: packet.clone(), to_endpoint, from_endpoint: reply, to_client }
}

/// All lengths of a quotation that make a difference: the least, half a TCP header, and everything.
fn quotations(family: usize) -> [usize; 4] {
    let network = [20, 40][family];
    [network + 8, network + 17, network + 18, 1000]
}

/// What is quoted of `sent`, but for what routers change on the way.
fn assert_quotes(quote: &[u8], sent: &Packet, protocol: u8) {
    let frame = sent.frame();
    let sent_ip = &frame[14..];
    let comparable = |ip: &[u8]| {
        let mut ip = ip.to_vec();
        if ip[0] >> 4 == 4 {
            // Hop limit and the checksum that covers it.
            (ip[8], ip[10], ip[11]) = (0, 0, 0);
        } else {
            ip[7] = 0;
        }
        ip
    };
    // Half of a checksum cannot be translated.
    let network = [20, 40][usize::from(sent.source.is_ipv6())];
    let length = if protocol == TCP && quote.len() == network + 17 { network + 16 } else { quote.len() };
    assert_eq!(comparable(&quote[..length]), comparable(&sent_ip[..length]));
    if quote.len() == sent_ip.len() {
        take_apart(&ethernet(if quote[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, quote), protocol);
    }
}

#[test]
fn errors_about_what_clients_send_come_back_in_their_terms() {
    for reach in [Reach::Forwarded, Reach::Masqueraded] {
        let mut node = TestNode::new();
        node.serve(&[ENDPOINT], reach, 0);
        for packet in first_packets() {
            let Sides { family, from_client, to_endpoint, .. } = flow(&mut node, &packet);
            let endpoint: SocketAddr = ENDPOINT[family].parse().unwrap();
            let listener: SocketAddr = LISTENER[family].parse().unwrap();
            let router: IpAddr = ENDPOINTS_ROUTER[family].parse().unwrap();
            for &kind in kinds(family) {
                for quoted in quotations(family) {
                    for (from, shown) in [(endpoint.ip(), listener.ip()), (router, router)] {
                        let frame = error(from, kind, &to_endpoint, quoted);
                        let (verdict, out) = node.ingress(&frame);
                        assert_eq!(verdict, Verdict::Redirect, "{kind:?}");
                        let (source, destination, quote) = take_apart_error(&out);
                        assert_eq!((source, destination), (shown, packet.source.ip()));
                        assert_quotes(&quote, &from_client, packet.protocol);
                    }
                }
            }
        }
    }
}

#[test]
fn errors_about_what_endpoints_send_come_back_in_their_terms() {
    for reach in [Reach::Forwarded, Reach::Masqueraded] {
        let mut node = TestNode::new();
        node.serve(&[ENDPOINT], reach, 0);
        for packet in first_packets() {
            let Sides { family, from_endpoint, to_client, .. } = flow(&mut node, &packet);
            let endpoint: SocketAddr = ENDPOINT[family].parse().unwrap();
            let client: SocketAddr = CLIENT[family].parse().unwrap();
            let router: IpAddr = CLIENTS_ROUTER[family].parse().unwrap();
            let as_client = match reach {
                Reach::Masqueraded => NODE[family].parse().unwrap(),
                _ => client.ip(),
            };
            for &kind in kinds(family) {
                for (from, shown) in [(client.ip(), as_client), (router, router)] {
                    let frame = error(from, kind, &to_client, 1000);
                    let (verdict, out) = node.ingress(&frame);
                    assert_eq!(verdict, Verdict::Redirect, "{kind:?}");
                    let (source, destination, quote) = take_apart_error(&out);
                    assert_eq!((source, destination), (shown, endpoint.ip()));
                    assert_quotes(&quote, &from_endpoint, packet.protocol);
                }
            }
        }
    }
}

#[test]
fn other_icmp_is_not_ours() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for packet in first_packets() {
        let Sides { family, to_endpoint, .. } = flow(&mut node, &packet);
        let router: IpAddr = ENDPOINTS_ROUTER[family].parse().unwrap();
        let mut strange = packet.clone();
        strange.source.set_port(1);
        // Echo request, echo reply; ICMPv6: the same, and finding neighbours.
        let not_errors: &[(u8, u8)] = [&[(8, 0), (0, 0)][..], &[(128, 0), (129, 0), (135, 0)]][family];
        let mut frames: Vec<_> =
            not_errors.iter().map(|kind| error(router, *kind, &to_endpoint, 100)).collect();
        // About a packet that was never sent, and one that somebody else sent.
        frames.push(error(router, kinds(family)[0], &strange.frame(), 100));
        let mut to_another = error(router, kinds(family)[0], &to_endpoint, 100);
        to_another[14 + [19, 39][family]] ^= 1;
        frames.push(to_another);
        for frame in frames {
            assert_eq!(node.ingress(&frame), (Verdict::Pass, frame.clone()));
        }
    }
}

#[test]
fn an_error_that_quotes_too_little_is_passed_on_untouched() {
    let mut node = TestNode::new();
    node.serve(&[ENDPOINT], Reach::Forwarded, 0);
    for packet in first_packets().into_iter().filter(|it| it.protocol == TCP) {
        let Sides { family, to_endpoint, .. } = flow(&mut node, &packet);
        let router: IpAddr = ENDPOINTS_ROUTER[family].parse().unwrap();
        for quoted in 0..[20, 40][family] + 4 {
            let frame = error(router, kinds(family)[0], &to_endpoint, quoted);
            assert_eq!(node.ingress(&frame), (Verdict::Pass, frame.clone()), "{quoted} bytes");
        }
        let whole = error(router, kinds(family)[0], &to_endpoint, 1000);
        for length in crate::malformed::shortest(&packet)..whole.len() {
            let short = whole[..length].to_vec();
            assert_eq!(node.ingress(&short), (Verdict::Pass, short.clone()), "{length} bytes");
        }
    }
}
