//! Packets as bytes: put together, and taken apart with every checksum computed anew.

use std::net::{IpAddr, SocketAddr};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

const ETHERNET: usize = 14;

/// A packet to be put together.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) protocol: u8,
    pub(crate) tcp_flags: u8,
    pub(crate) payload: Vec<u8>,
    pub(crate) hop_limit: u8,
    /// Options of an IPv4 header (whole words), or extension headers of IPv6, each with its number.
    pub(crate) options: Vec<u8>,
    pub(crate) extensions: Vec<(u8, Vec<u8>)>,
    /// UDP alone: no checksum.
    pub(crate) without_checksum: bool,
    pub(crate) dont_fragment: bool,
}

impl Packet {
    pub(crate) fn tcp(source: &str, destination: &str, tcp_flags: u8) -> Self {
        Self {
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: TCP,
            tcp_flags,
            payload: b"payload of odd length".to_vec(),
            hop_limit: 64,
            options: vec![],
            extensions: vec![],
            without_checksum: false,
            dont_fragment: true,
        }
    }

    pub(crate) fn udp(source: &str, destination: &str) -> Self {
        Self { protocol: UDP, ..Self::tcp(source, destination, 0) }
    }

    /// The other way.
    pub(crate) fn reversed(&self) -> Self {
        Self { source: self.destination, destination: self.source, ..self.clone() }
    }

    pub(crate) fn with_flags(&self, tcp_flags: u8) -> Self {
        Self { tcp_flags, ..self.clone() }
    }

    /// The transport header and what it carries.
    pub(crate) fn segment(&self) -> Vec<u8> {
        let mut segment = Vec::new();
        segment.extend(self.source.port().to_be_bytes());
        segment.extend(self.destination.port().to_be_bytes());
        let checksum_at = if self.protocol == TCP {
            segment.extend([0, 0, 0, 1, 0, 0, 0, 2, 5 << 4, self.tcp_flags, 0x20, 0, 0, 0, 0, 0]);
            16
        } else {
            segment.extend(u16::try_from(8 + self.payload.len()).unwrap().to_be_bytes());
            segment.extend([0, 0]);
            6
        };
        segment.extend(&self.payload);
        if !self.without_checksum {
            let sum = transport_checksum(self.source.ip(), self.destination.ip(), self.protocol, &segment);
            segment[checksum_at..checksum_at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        segment
    }

    /// The whole frame.
    pub(crate) fn frame(&self) -> Vec<u8> {
        self.frame_around(&self.segment(), None)
    }

    /// The frame of a fragment: `offset` in units of 8 bytes, and whether there are more.
    pub(crate) fn fragment(&self, part: &[u8], offset: u16, more: bool) -> Vec<u8> {
        self.frame_around(part, Some((offset, more)))
    }

    fn frame_around(&self, content: &[u8], fragment: Option<(u16, bool)>) -> Vec<u8> {
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let length = 20 + self.options.len();
                let flags = match fragment {
                    None => u16::from(self.dont_fragment) << 14,
                    Some((offset, more)) => u16::from(more) << 13 | offset,
                };
                let mut ip = vec![0x40 | u8::try_from(length / 4).unwrap(), 0];
                ip.extend(u16::try_from(length + content.len()).unwrap().to_be_bytes());
                ip.extend([0x12, 0x34]);
                ip.extend(flags.to_be_bytes());
                ip.extend([self.hop_limit, self.protocol, 0, 0]);
                ip.extend(source.octets());
                ip.extend(destination.octets());
                ip.extend(&self.options);
                let sum = checksum(&[&ip]);
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
                ethernet(0x0800, &[&ip, content].concat())
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut extensions = self.extensions.clone();
                if let Some((offset, more)) = fragment {
                    let [high, low] = (offset << 3 | u16::from(more)).to_be_bytes();
                    extensions.push((44, vec![0, 0, high, low, 0, 0, 0x12, 0x34]));
                }
                let (first, chain) = chain(&extensions, self.protocol);
                let mut ip = vec![0x60, 0, 0, 0];
                ip.extend(u16::try_from(chain.len() + content.len()).unwrap().to_be_bytes());
                ip.extend([first, self.hop_limit]);
                ip.extend(source.octets());
                ip.extend(destination.octets());
                ethernet(0x86dd, &[&ip, &chain[..], content].concat())
            }
            _ => panic!("one family"),
        }
    }
}

/// Extension headers, each naming the next; and the number of the first.
fn chain(extensions: &[(u8, Vec<u8>)], last: u8) -> (u8, Vec<u8>) {
    let mut bytes = Vec::new();
    for (index, (_, header)) in extensions.iter().enumerate() {
        let mut header = header.clone();
        header[0] = extensions.get(index + 1).map_or(last, |it| it.0);
        bytes.extend(header);
    }
    (extensions.first().map_or(last, |it| it.0), bytes)
}

pub(crate) fn ethernet(kind: u16, content: &[u8]) -> Vec<u8> {
    // Test runs come by the loopback interface, which has no other address.
    let mut frame = vec![0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2];
    frame.extend(kind.to_be_bytes());
    frame.extend(content);
    frame
}

/// A packet taken apart. That it could be, means that its checksums hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) hop_limit: u8,
    /// What follows the ports.
    pub(crate) rest: Vec<u8>,
}

/// Takes apart a frame whose transport header is the one of `protocol`, and checks every checksum.
pub(crate) fn take_apart(frame: &[u8], protocol: u8) -> Seen {
    let (source, destination, hop_limit, segment) = take_apart_ip(&frame[ETHERNET..]);
    let sum_at = if protocol == TCP { 16 } else { 6 };
    if segment[sum_at..sum_at + 2] != [0, 0] {
        assert_eq!(transport_checksum(source, destination, protocol, &segment), 0, "transport checksum");
    }
    let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    let mut rest = segment[4..].to_vec();
    // Compared by being right.
    rest[sum_at - 4..sum_at - 2].fill(0);
    Seen {
        source: SocketAddr::new(source, port(0)),
        destination: SocketAddr::new(destination, port(2)),
        hop_limit,
        rest,
    }
}

/// Addresses, hop limit and content of an IP packet.
pub(crate) fn take_apart_ip(ip: &[u8]) -> (IpAddr, IpAddr, u8, Vec<u8>) {
    if ip[0] >> 4 == 4 {
        let length = usize::from(ip[0] & 0xf) * 4;
        assert_eq!(checksum(&[&ip[..length]]), 0, "header checksum");
        let address = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&ip[at..at + 4]).unwrap());
        return (address(12), address(16), ip[8], ip[length..].to_vec());
    }
    let address = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&ip[at..at + 16]).unwrap());
    let (mut next, mut at) = (ip[6], 40);
    while [0, 43, 44, 60].contains(&next) {
        let length = if next == 44 { 8 } else { usize::from(ip[at + 1]) * 8 + 8 };
        next = ip[at];
        at += length;
    }
    (address(8), address(24), ip[7], ip[at..].to_vec())
}

/// The checksum of TCP, UDP or ICMPv6 over `segment`; zero if it carries a right one.
pub(crate) fn transport_checksum(source: IpAddr, destination: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    let octets = |it: IpAddr| match it {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let length = u32::try_from(segment.len()).unwrap().to_be_bytes();
    checksum(&[&octets(source), &octets(destination), &length, &[0, 0, 0, protocol], segment])
}

/// RFC 1071. Each part but the last has an even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let mut sum: u32 = words.map(|it| u32::from(u16::from_be_bytes([it[0], *it.get(1).unwrap_or(&0)]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
