//! Frames that tell all neighbours whose an address is. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const BROADCAST: [u8; 6] = [0xff; 6];
/// To all nodes (RFC 2464, section 7).
const ALL_NODES_LINK: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
/// Neighbour advertisement, with the flag to override what is known (RFC 4861, section 4.4).
const ADVERTISEMENT: [u8; 8] = [136, 0, 0, 0, 0x20, 0, 0, 0];
/// Target link-layer address, of one unit of 8 bytes.
const LINK_OPTION: [u8; 2] = [2, 1];

/// The frames by which all neighbours are told that an address is at a link.
///
/// For IPv4 an ARP request for the address itself (RFC 5227, section 2.3), which some listen to, and a reply, which others
/// do; for IPv6 an unsolicited neighbour advertisement (RFC 4861, section 7.2.6).
pub fn gratuitous(address: IpAddr, link: [u8; 6]) -> Vec<Vec<u8>> {
    match address {
        IpAddr::V4(address) => vec![arp(1, address, link, [0; 6]), arp(2, address, link, BROADCAST)],
        IpAddr::V6(address) => vec![advertisement(address, link)],
    }
}

fn arp(operation: u8, address: Ipv4Addr, link: [u8; 6], target_link: [u8; 6]) -> Vec<u8> {
    let mut frame = ethernet(BROADCAST, link, ETHERTYPE_ARP);
    // Ethernet, IPv4, and the lengths of their addresses.
    frame.extend([0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend(link);
    frame.extend(address.octets());
    frame.extend(target_link);
    frame.extend(address.octets());
    frame
}

fn advertisement(address: Ipv6Addr, link: [u8; 6]) -> Vec<u8> {
    let mut message = ADVERTISEMENT.to_vec();
    message.extend(address.octets());
    message.extend(LINK_OPTION);
    message.extend(link);
    let length = message.len() as u8;
    let pseudo_header =
        [&address.octets()[..], &ALL_NODES.octets(), &[0, 0, 0, length, 0, 0, 0, ICMPV6]].concat();
    let sum = checksum(&[&pseudo_header[..], &message].concat());
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = ethernet(ALL_NODES_LINK, link, ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0, 0, length, ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    frame
}

fn ethernet(to: [u8; 6], from: [u8; 6], kind: u16) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes()].concat()
}

/// Of an even number of bytes (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|it| u32::from(u16::from_be_bytes([it[0], it[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: [u8; 6] = [2, 0, 0, 0, 0, 7];

    #[test]
    fn arp_names_the_address_twice() {
        let frames = gratuitous("192.0.2.1".parse().unwrap(), LINK);
        assert_eq!(frames.len(), 2);
        for frame in frames {
            assert_eq!(frame.len(), 42);
            assert_eq!(frame[28..32], [192, 0, 2, 1]);
            assert_eq!(frame[38..42], [192, 0, 2, 1]);
            assert_eq!(frame[22..28], LINK);
        }
    }

    #[test]
    fn the_sum_of_an_advertisement_holds() {
        let address: Ipv6Addr = "2001:db8::1".parse().unwrap();
        let frame = gratuitous(address.into(), LINK).remove(0);
        assert_eq!(frame.len(), 14 + 40 + 32);
        let message = &frame[54..];
        let pseudo = [&address.octets()[..], &ALL_NODES.octets(), &[0, 0, 0, 32, 0, 0, 0, 58]].concat();
        assert_eq!(checksum(&[&pseudo[..], message].concat()), 0);
        assert_eq!(message[26..], LINK);
    }
}
