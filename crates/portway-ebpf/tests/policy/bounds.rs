//! Pods that are not known yet, addresses that are not their sender's own, and interfaces that nobody has looked at.

use portway_ebpf::policy::{ENTER, FROM_POD, LEAVE, PolicyDrop, TO_POD};
use portway_policy::DirectionPolicy;

use crate::guarded::{
    Guarded, NEIGHBOUR, NODE, OUTSIDE, POD, REMOTE, SERVICE, Verdict, first_packets, ip, isolated, name,
};
use crate::wire::{Packet, SYN, ethernet};

#[test]
fn a_pod_without_an_entry_reaches_the_node_alone() {
    let mut node = Guarded::new();
    node.wanted.pods.remove(&name("pod"));
    node.apply();
    let pod = node.pod;
    for family in 0..2 {
        for peer in [NEIGHBOUR[family], REMOTE[family], OUTSIDE[family], SERVICE[family]] {
            for packet in first_packets(POD[family], peer) {
                assert_eq!(node.sends(&packet.frame()), Verdict::Drop, "{packet:?}");
                assert_eq!(node.gets(&packet.reversed().frame()), Verdict::Drop, "{packet:?}");
                assert_eq!(node.lets_leave(&packet.frame()), Verdict::Drop, "{packet:?}");
            }
        }
        for packet in first_packets(POD[family], NODE[family]) {
            assert_eq!(node.sends(&packet.frame()), Verdict::Pass);
            assert_eq!(node.run(TO_POD, &packet.reversed().frame(), pod, 0), Verdict::Pass);
        }
    }
    assert!(
        node.drops()
            .iter()
            .all(|(reason, _)| { [PolicyDrop::PodNotKnown, PolicyDrop::InterfaceNotKnown].contains(reason) })
    );
}

#[test]
fn a_new_pod_at_an_address_that_another_had_has_none_of_its_rights() {
    let mut node = Guarded::new();
    let stranger = node.stranger;
    for family in 0..2 {
        for packet in first_packets(NEIGHBOUR[family], OUTSIDE[family]) {
            // By the programs at its own interface, and where there are none yet: at the others.
            assert_eq!(node.run(FROM_POD, &packet.frame(), stranger, stranger), Verdict::Drop);
            let uplink = node.uplink;
            assert_eq!(node.run(LEAVE, &packet.frame(), uplink, stranger), Verdict::Drop);
        }
        for packet in first_packets(NEIGHBOUR[family], POD[family]) {
            let pod = node.pod;
            assert_eq!(node.run(TO_POD, &packet.frame(), pod, stranger), Verdict::Drop);
        }
    }
    assert_eq!(node.drops(), [(PolicyDrop::PodNotKnown, 4), (PolicyDrop::InterfaceNotKnown, 8)]);
}

#[test]
fn a_pod_sends_with_its_own_address_alone() {
    let mut node = Guarded::new();
    for family in 0..2 {
        for source in [NEIGHBOUR[family], REMOTE[family], OUTSIDE[family], NODE[family], SERVICE[family]] {
            for packet in first_packets(source, OUTSIDE[family]) {
                assert_eq!(node.sends(&packet.frame()), Verdict::Drop, "{packet:?}");
            }
        }
    }
    assert_eq!(node.drops(), [(PolicyDrop::NotItsAddress, 20)]);
}

#[test]
fn a_pod_without_an_address_of_a_family_sends_none_of_it() {
    let mut node = Guarded::new();
    node.wanted.tables.pods.get_mut(&name("pod")).unwrap().addresses.truncate(1);
    node.apply();
    assert_eq!(node.sends(&Packet::udp(POD[0], OUTSIDE[0]).frame()), Verdict::Pass);
    assert_eq!(node.sends(&Packet::udp(POD[1], OUTSIDE[1]).frame()), Verdict::Drop);
    assert_eq!(node.sends(&Packet::udp("0.0.0.0:68", "255.255.255.255:67").frame()), Verdict::Drop);
}

#[test]
fn from_outside_comes_no_pods_address_and_nothing_for_a_pod_that_is_not_known() {
    let mut node = Guarded::new();
    let uplink = node.uplink;
    let mut enters = |packet: &Packet| node.run(ENTER, &packet.frame(), uplink, uplink);
    assert_eq!(enters(&Packet::tcp(OUTSIDE[0], POD[0], SYN)), Verdict::Pass);
    assert_eq!(enters(&Packet::tcp(OUTSIDE[0], NODE[0], SYN)), Verdict::Pass);
    assert_eq!(enters(&Packet::tcp(NEIGHBOUR[0], POD[0], SYN)), Verdict::Drop, "a pod of this node");
    assert_eq!(enters(&Packet::tcp(OUTSIDE[0], "10.0.7.7:80", SYN)), Verdict::Drop, "not known yet");
    assert_eq!(enters(&Packet::tcp(OUTSIDE[1], "[fd00:0:7::7]:80", SYN)), Verdict::Drop, "not known yet");
    assert_eq!(enters(&Packet::tcp(SERVICE[1], POD[1], SYN)), Verdict::Drop, "a Service's");
    assert_eq!(
        node.drops(),
        [(PolicyDrop::PodNotKnown, 2), (PolicyDrop::NotItsAddress, 1), (PolicyDrop::ServiceAddress, 1)]
    );
}

#[test]
fn what_the_node_itself_sends_is_not_judged() {
    let mut node = Guarded::new();
    node.enforce(isolated(), isolated());
    let (pod, uplink) = (node.pod, node.uplink);
    let frame = Packet::tcp(NODE[0], POD[0], SYN).frame();
    assert_eq!(node.run(TO_POD, &frame, pod, 0), Verdict::Pass);
    let frame = Packet::tcp(NODE[0], OUTSIDE[0], SYN).frame();
    assert_eq!(node.run(LEAVE, &frame, uplink, 0), Verdict::Pass);
    // A pod to itself, by a Service.
    let frame = Packet::tcp(NODE[0], POD[0], SYN).frame();
    assert_eq!(node.run(TO_POD, &frame, pod, pod), Verdict::Pass);
    assert_eq!(node.sends(&Packet::tcp(POD[0], POD[0], SYN).frame()), Verdict::Pass);
}

#[test]
fn what_a_neighbour_sends_is_judged_by_its_own_policies_too() {
    let mut node = Guarded::new();
    let (pod, neighbour) = (node.pod, node.neighbour);
    let frame = Packet::tcp(NEIGHBOUR[0], POD[0], SYN).frame();
    assert_eq!(node.run(TO_POD, &frame, pod, neighbour), Verdict::Pass);
    node.confine_neighbour(isolated());
    let frame = Packet::tcp(NEIGHBOUR[1], POD[1], SYN).frame();
    assert_eq!(node.run(TO_POD, &frame, pod, neighbour), Verdict::Drop);
    assert_eq!(node.drops(), [(PolicyDrop::DeniedEgress, 1)]);
}

#[test]
fn arp_is_let_through_and_other_protocols_only_where_nobody_selects_the_pod() {
    let mut node = Guarded::new();
    let (arp, other) = (ethernet(0x0806, &[0; 28]), ethernet(0x88cc, &[0; 28]));
    assert_eq!(node.sends(&arp), Verdict::Pass);
    assert_eq!(node.sends(&other), Verdict::Pass);
    node.enforce(isolated(), DirectionPolicy::open());
    for frame in [&arp, &other] {
        let expected = if *frame == arp { Verdict::Pass } else { Verdict::Drop };
        assert_eq!(node.sends(frame), expected);
        assert_eq!(node.gets(frame), expected);
    }
    node.wanted.pods.remove(&name("pod"));
    node.apply();
    assert_eq!((node.sends(&arp), node.sends(&other)), (Verdict::Pass, Verdict::Drop));
}

#[test]
fn an_interface_that_nobody_has_looked_at_leads_nowhere() {
    let mut node = Guarded::new();
    ip("link add late type veth peer name of-late");
    let late = nix::net::if_::if_nametoindex("late").unwrap();
    let (pod, uplink) = (node.pod, node.uplink);
    let frame = Packet::udp("203.0.113.9:53", POD[0]).frame();
    assert_eq!(node.run(TO_POD, &frame, pod, late), Verdict::Drop);
    assert_eq!(node.run(LEAVE, &frame, uplink, late), Verdict::Drop);
    assert_eq!(node.drops(), [(PolicyDrop::InterfaceNotKnown, 2)]);
}
