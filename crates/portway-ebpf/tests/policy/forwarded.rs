//! Packets that the balancing programs have forwarded, through one Gateway or another.

use aya::maps::ProgramArray;
use aya::programs::SchedClassifier;
use portway_ebpf::policy::TO_POD;
use portway_ebpf::policy::layout::{DENIED, Gateway, GatewayName, INGRESS};
use portway_policy::{DirectionPolicy, IdentityId};

use crate::guarded::{
    ANY, DENIES, Guarded, NEIGHBOUR, OF_NEIGHBOUR, OF_REMOTE, OUTSIDE, POD, REMOTE, Verdict, but_identity,
    but_networks, first_packets, isolated, name,
};
use crate::tagging;
use crate::wire::{ACK, Packet, SYN};

const OF_GATEWAY: IdentityId = IdentityId(40);
const OF_OTHER: IdentityId = IdentityId(41);
/// Numbers of the two Gateways, and of none. The last one fits the tag.
const GATEWAY: u32 = 3;
const OTHER: u32 = 0x3fff;
const NOBODYS: u32 = 7;

/// A pod behind two Gateways, and the program that tags what it gets.
struct Behind {
    node: Guarded,
    tagging: aya::Ebpf,
}

impl Behind {
    fn new(ingress: DirectionPolicy) -> Self {
        let mut node = Guarded::new();
        node.enforce(ingress, isolated());
        let mut tagging = tagging::load();
        let tag: &mut SchedClassifier = tagging.program_mut("tag").unwrap().try_into().unwrap();
        tag.load().unwrap();
        let mut judged = ProgramArray::try_from(tagging.map_mut("tagged_for").unwrap()).unwrap();
        judged.set(0, node.enforcer.program(TO_POD).unwrap().fd().unwrap(), 0).unwrap();
        let mut it = Self { node, tagging };
        it.set_gateway(GATEWAY, OF_GATEWAY);
        it.set_gateway(OTHER, OF_OTHER);
        it
    }

    fn set_gateway(&mut self, number: u32, identity: IdentityId) {
        let gateway = Gateway { identity: identity.0, name: GatewayName::of(&name("g")).unwrap() };
        self.node.wanted.gateways.insert(number, gateway);
        self.node.apply();
    }

    /// What becomes of a packet for the pod that came through a Gateway, from outside.
    fn gets(&mut self, packet: &Packet, gateway: u32) -> Verdict {
        let tag: &mut SchedClassifier = self.tagging.program_mut("tag").unwrap().try_into().unwrap();
        let (pod, uplink) = (self.node.pod, self.node.uplink);
        crate::guarded::run(tag, &packet.frame(), (pod, uplink), 0x4000 | gateway)
    }
}

#[test]
fn the_gateway_is_the_peer_and_not_who_has_the_address() {
    let mut it = Behind::new(but_identity(OF_GATEWAY, ANY));
    for packet in (0..2).flat_map(|family| first_packets(OUTSIDE[family], POD[family])) {
        assert_eq!(it.gets(&packet, OTHER), Verdict::Drop);
        assert_eq!(it.gets(&packet, NOBODYS), Verdict::Drop);
        assert_eq!(it.node.gets(&packet.frame()), Verdict::Drop, "past all");
        assert_eq!(it.gets(&packet, GATEWAY), Verdict::Pass);
    }
    // Rights of a pod are not its through a Gateway, whichever.
    it.node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    for packet in (0..2).flat_map(|family| first_packets(REMOTE[family], POD[family])) {
        for gateway in [GATEWAY, OTHER, NOBODYS] {
            assert_eq!(it.gets(&packet, gateway), Verdict::Drop);
        }
        assert_eq!(it.node.gets(&packet.frame()), Verdict::Pass);
    }
    it.node.enforce(but_identity(OF_NEIGHBOUR, ANY), isolated());
    let packet = Packet::tcp(NEIGHBOUR[0], POD[0], SYN);
    let neighbour = it.node.neighbour;
    assert_eq!(it.gets(&packet, GATEWAY), Verdict::Drop);
    assert_eq!(it.node.run(TO_POD, &packet.frame(), it.node.pod, neighbour), Verdict::Pass);
}

#[test]
fn the_clients_network_counts_through_all_gateways() {
    let mut it = Behind::new(but_networks(&["198.51.100.0/24"], &["198.51.100.8/29"], ANY));
    for gateway in [0, GATEWAY, OTHER, NOBODYS] {
        for packet in first_packets(OUTSIDE[0], POD[0]) {
            assert_eq!(it.gets(&packet, gateway), Verdict::Pass);
            let excepted = Packet { source: "198.51.100.9:40000".parse().unwrap(), ..packet };
            assert_eq!(it.gets(&excepted, gateway), Verdict::Drop);
        }
    }
}

#[test]
fn who_forges_the_clients_address_has_no_part_in_its_flow() {
    let mut it = Behind::new(but_identity(OF_GATEWAY, ANY));
    for packet in (0..2).flat_map(|family| first_packets(OUTSIDE[family], POD[family])) {
        let reply = packet.reversed().with_flags(SYN | ACK);
        let next = packet.with_flags(ACK);
        assert_eq!(it.gets(&packet, GATEWAY), Verdict::Pass);
        assert_eq!(it.node.sends(&reply.frame()), Verdict::Pass);
        assert_eq!(it.gets(&next, GATEWAY), Verdict::Pass);
        for forged in [&packet, &next] {
            assert_eq!(it.node.gets(&forged.frame()), Verdict::Drop, "past the Gateway");
            assert_eq!(it.gets(forged, OTHER), Verdict::Drop);
            assert_eq!(it.node.sends(&reply.with_flags(ACK).frame()), Verdict::Pass, "it goes on");
            assert_eq!(it.gets(&next, GATEWAY), Verdict::Pass);
        }
    }
    assert_eq!(it.node.counted(DENIES, INGRESS, DENIED).1, 16);
}

#[test]
fn a_flow_is_judged_again_when_the_proxies_of_its_gateway_are_others() {
    let mut it = Behind::new(but_identity(OF_GATEWAY, ANY));
    let packet = Packet::tcp(OUTSIDE[0], POD[0], SYN);
    let (reply, next) = (packet.reversed().with_flags(SYN | ACK), packet.with_flags(ACK));
    it.gets(&packet, GATEWAY);
    it.node.sends(&reply.frame());
    assert_eq!(it.gets(&next, GATEWAY), Verdict::Pass);
    it.set_gateway(GATEWAY, OF_OTHER);
    assert_eq!(it.node.sends(&reply.with_flags(ACK).frame()), Verdict::Drop, "in either direction");
    assert_eq!(it.gets(&next, GATEWAY), Verdict::Drop);
    it.set_gateway(GATEWAY, OF_GATEWAY);
    assert_eq!(it.gets(&next, GATEWAY), Verdict::Pass);
    assert_eq!(it.node.sends(&reply.with_flags(ACK).frame()), Verdict::Pass);
    it.node.wanted.gateways.clear();
    it.node.apply();
    assert_eq!(it.gets(&next, GATEWAY), Verdict::Drop, "it is gone");
    // It goes on by another that may, with the replies.
    it.set_gateway(OTHER, OF_GATEWAY);
    assert_eq!(it.gets(&next, OTHER), Verdict::Pass);
    assert_eq!(it.node.sends(&reply.with_flags(ACK).frame()), Verdict::Pass);
}
