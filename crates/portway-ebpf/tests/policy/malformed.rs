//! Packets that lie, are cut short or come in parts: nothing that cannot be read gets to or from an isolated pod.

use portway_ebpf::policy::PolicyDrop;
use portway_policy::{DirectionPolicy, Protocol};

use crate::guarded::{Guarded, OF_REMOTE, OUTSIDE, POD, REMOTE, Verdict, but_identity, first_packets};
use crate::wire::{Packet, SYN, checksum};

const ETHERNET: usize = 14;
const PORT_80: &[(Protocol, u16, u16)] = &[(Protocol::Tcp, 80, 80), (Protocol::Udp, 80, 80)];

fn with_everything(source: [&str; 2]) -> Vec<Packet> {
    let mut packets: Vec<_> = (0..2).flat_map(|it| first_packets(source[it], POD[it])).collect();
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
fn headers_cut_short_at_every_byte_get_nowhere() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, PORT_80), but_identity(OF_REMOTE, PORT_80));
    for packet in with_everything(REMOTE) {
        let frame = packet.frame();
        let network = if packet.source.is_ipv4() { 20 } else { 40 };
        for length in network..frame.len() - ETHERNET {
            let by_the_wire = frame[..ETHERNET + length].to_vec();
            let by_itself = shortened(&packet, length);
            let padded = [by_itself.clone(), vec![0xff; 60]].concat();
            for short in [by_the_wire, by_itself, padded] {
                assert_eq!(node.gets(&short), Verdict::Drop, "{length} bytes of {packet:?}");
                assert_eq!(node.sends(&short), Verdict::Drop, "{length} bytes of {packet:?}");
            }
        }
        assert_eq!(node.gets(&frame), Verdict::Pass, "{packet:?}");
    }
}

#[test]
fn a_pod_that_nobody_selects_gets_what_its_own_stack_will_drop() {
    let mut node = Guarded::new();
    for packet in with_everything(REMOTE) {
        let frame = packet.frame();
        let network = if packet.source.is_ipv4() { 20 } else { 40 };
        for length in network..frame.len() - ETHERNET {
            assert_eq!(node.gets(&frame[..ETHERNET + length]), Verdict::Pass, "{length} bytes of {packet:?}");
        }
    }
}

#[test]
fn extension_headers_do_not_hide_the_ports() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, PORT_80), DirectionPolicy::open());
    for mut packet in with_everything(REMOTE).into_iter().filter(|it| it.source.is_ipv6()) {
        assert_eq!(node.gets(&packet.frame()), Verdict::Pass);
        packet.destination.set_port(81);
        assert_eq!(node.gets(&packet.frame()), Verdict::Drop);
        packet.destination.set_port(80);
        // On its way to somewhere else first.
        packet.extensions = vec![(43, vec![0, 0, 4, 1, 0, 0, 0, 0])];
        assert_eq!(node.gets(&packet.frame()), Verdict::Drop);
        // More of them than there is a reason for: what comes then is no port.
        packet.extensions = vec![(60, vec![0, 0, 1, 4, 0, 0, 0, 0]); 7];
        assert_eq!(node.gets(&packet.frame()), Verdict::Drop);
    }
}

fn fragments(packet: &Packet) -> [Vec<u8>; 2] {
    let segment = packet.segment();
    [packet.fragment(&segment[..24], 0, true), packet.fragment(&segment[24..], 3, false)]
}

#[test]
fn fragments_follow_the_first_one() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, PORT_80), but_identity(OF_REMOTE, PORT_80));
    for family in 0..2 {
        let [_, udp] = first_packets(REMOTE[family], POD[family]);
        let [first, second] = fragments(&udp);
        assert_eq!(node.gets(&second), Verdict::Drop, "before its first");
        assert_eq!(node.gets(&first), Verdict::Pass);
        assert_eq!(node.gets(&second), Verdict::Pass);
        let mut other = udp.clone();
        other.destination.set_port(81);
        let [first, second] = fragments(&other);
        assert_eq!(node.gets(&first), Verdict::Drop);
        assert_eq!(node.gets(&second), Verdict::Drop, "as its first");
        // Those of somebody else do not follow it.
        let [_, of_another] = fragments(&Packet { source: OUTSIDE[family].parse().unwrap(), ..udp });
        assert_eq!(node.gets(&of_another), Verdict::Drop);
    }
    let drops = node.drops();
    assert!(drops.contains(&(PolicyDrop::NoFirstFragment, 4)), "{drops:?}");
}

#[test]
fn a_first_fragment_that_is_too_small_for_the_ports_gets_nowhere() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, PORT_80), DirectionPolicy::open());
    for family in 0..2 {
        let packet = Packet::tcp(REMOTE[family], POD[family], SYN);
        for length in [0, 2, 3, 8, 16] {
            let first = packet.fragment(&packet.segment()[..length], 0, true);
            assert_eq!(node.gets(&first), Verdict::Drop, "{length} bytes");
        }
    }
}

#[test]
fn ip_headers_that_lie_get_nowhere() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, PORT_80), DirectionPolicy::open());
    for (family, at, value) in
        [(0, 0, 0x65), (0, 0, 0x44), (0, 0, 0x4f), (0, 2, 0xff), (0, 3, 19), (1, 0, 0x40), (1, 4, 0xff)]
    {
        let mut frame = Packet::udp(REMOTE[family], POD[family]).frame();
        frame[ETHERNET + at] = value;
        assert_eq!(node.gets(&frame), Verdict::Drop, "byte {at} is {value}");
    }
}
