//! What rules say, and that the kernel says the same as the compiler's own oracle.

use std::cell::RefCell;
use std::net::SocketAddr;

use portway_ebpf::Limits;
use portway_ebpf::policy::{PolicyDrop, PolicyLimits, Refused};
use portway_policy::decide::PeerLookup;
use portway_policy::{
    Class, ClassId, Decision, DirectionPolicy, IdentityId, PolicyIndex, PortRule, Protocol, Ruling,
    Verdict as Rulings,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::guarded::{
    ANY, Guarded, NEIGHBOUR, OF_NEIGHBOUR, OF_REMOTE, OUTSIDE, POD, REMOTE, Verdict, but_identity,
    but_networks, first_packets, isolated, small,
};
use crate::wire::{Packet, SYN};

const OPEN: fn() -> DirectionPolicy = DirectionPolicy::open;

/// Packets that begin a flow from the pod to a socket.
fn sent_to(destination: &str) -> [Packet; 2] {
    first_packets(destination, destination).map(|it| {
        let own = POD[usize::from(it.destination.is_ipv6())];
        let mut source: SocketAddr = own.parse().unwrap();
        source.set_port(50_000);
        Packet { source, ..it }
    })
}

#[test]
fn a_pod_that_nobody_selects_gets_and_sends_everything() {
    let mut node = Guarded::new();
    for family in 0..2 {
        for peer in [NEIGHBOUR[family], REMOTE[family], OUTSIDE[family]] {
            for packet in sent_to(peer) {
                assert_eq!(node.sends(&packet.frame()), Verdict::Pass, "{packet:?}");
            }
        }
        for peer in [REMOTE[family], OUTSIDE[family]] {
            for packet in first_packets(peer, POD[family]) {
                assert_eq!(node.gets(&packet.frame()), Verdict::Pass, "{packet:?}");
            }
        }
    }
    assert_eq!(node.drops(), []);
}

#[test]
fn an_isolated_pod_gets_and_sends_nothing() {
    let mut node = Guarded::new();
    node.enforce(isolated(), isolated());
    let (mut received, mut sent) = (0, 0);
    for family in 0..2 {
        for peer in [REMOTE[family], OUTSIDE[family]] {
            for packet in first_packets(peer, POD[family]) {
                assert_eq!(node.gets(&packet.frame()), Verdict::Drop, "{packet:?}");
                received += 1;
            }
            for packet in sent_to(peer) {
                assert_eq!(node.sends(&packet.frame()), Verdict::Drop, "{packet:?}");
                sent += 1;
            }
        }
    }
    assert_eq!(node.drops(), [(PolicyDrop::DeniedIngress, received), (PolicyDrop::DeniedEgress, sent)]);
}

#[test]
fn peers_are_told_apart_by_identity() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, ANY), but_identity(OF_REMOTE, ANY));
    for family in 0..2 {
        for (peer, expected) in [(REMOTE[family], Verdict::Pass), (OUTSIDE[family], Verdict::Drop)] {
            for packet in first_packets(peer, POD[family]) {
                assert_eq!(node.gets(&packet.frame()), expected, "{packet:?}");
            }
            for packet in sent_to(peer) {
                assert_eq!(node.sends(&packet.frame()), expected, "{packet:?}");
            }
        }
    }
}

#[test]
fn a_pod_of_the_node_is_who_its_interface_says() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_NEIGHBOUR, ANY), OPEN());
    let (to_pod, pod, neighbour) = (portway_ebpf::policy::TO_POD, node.pod, node.neighbour);
    for family in 0..2 {
        for packet in first_packets(NEIGHBOUR[family], POD[family]) {
            assert_eq!(node.run(to_pod, &packet.frame(), pod, neighbour), Verdict::Pass, "{packet:?}");
        }
        // By the neighbour's interface, whatever the address: with a forged one it would not come so far.
        for packet in first_packets(OUTSIDE[family], POD[family]) {
            assert_eq!(node.run(to_pod, &packet.frame(), pod, neighbour), Verdict::Pass, "{packet:?}");
        }
    }
}

#[test]
fn networks_but_for_those_that_are_excepted() {
    let mut node = Guarded::new();
    let networks = ["198.51.0.0/16", "2001:db8::/32"];
    let except = ["198.51.100.0/28", "2001:db8:c::/64"];
    for (except, expected) in [(&except[..], Verdict::Drop), (&[], Verdict::Pass)] {
        node.enforce(but_networks(&networks, except, ANY), but_networks(&networks, except, ANY));
        for family in 0..2 {
            for packet in first_packets(OUTSIDE[family], POD[family]) {
                assert_eq!(node.gets(&packet.frame()), expected, "{packet:?}");
            }
            for packet in sent_to(OUTSIDE[family]) {
                assert_eq!(node.sends(&packet.frame()), expected, "{packet:?}");
            }
            for packet in first_packets(REMOTE[family], POD[family]) {
                assert_eq!(node.gets(&packet.frame()), Verdict::Drop, "{packet:?}");
            }
        }
    }
}

#[test]
fn all_of_ipv6_is_none_of_ipv4() {
    let mut node = Guarded::new();
    node.enforce(but_networks(&["::/0"], &[], ANY), OPEN());
    for (family, expected) in [(0, Verdict::Drop), (1, Verdict::Pass)] {
        for packet in first_packets(OUTSIDE[family], POD[family]) {
            assert_eq!(node.gets(&packet.frame()), expected, "{packet:?}");
        }
    }
}

#[test]
fn ports_and_ranges_of_them() {
    let mut node = Guarded::new();
    let ports = [(Protocol::Tcp, 80, 80), (Protocol::Udp, 1000, 1999)];
    node.enforce(but_identity(OF_REMOTE, &ports), OPEN());
    let to = |family: usize, port: u16| {
        let mut address: SocketAddr = POD[family].parse().unwrap();
        address.set_port(port);
        first_packets(REMOTE[family], &address.to_string())
    };
    for family in 0..2 {
        for port in [79, 80, 81, 999, 1000, 1500, 1999, 2000] {
            let [tcp, udp] = to(family, port);
            let expected = |is_allowed| if is_allowed { Verdict::Pass } else { Verdict::Drop };
            assert_eq!(node.gets(&tcp.frame()), expected(port == 80), "TCP {port}");
            assert_eq!(node.gets(&udp.frame()), expected((1000..2000).contains(&port)), "UDP {port}");
        }
    }
}

#[test]
fn rules_that_there_is_no_room_for_are_given_to_nobody() {
    let mut node = Guarded::with_limits(&PolicyLimits { ports: 8, ..small() });
    node.enforce(isolated(), OPEN());
    let ports = [(Protocol::Tcp, 1, 65534)];
    let before = node.ledger.pods()[&node.pod];
    let wide = but_identity(OF_REMOTE, &ports);
    node.wanted.tables.sets.values_mut().for_each(|it| {
        let mut policy = (**it).clone();
        policy.ingress.enforced = wide.clone();
        *it = policy.into();
    });
    let sets: Vec<_> = node.wanted.tables.sets.keys().copied().collect();
    for set in sets {
        let policy = node.wanted.tables.sets.remove(&set).unwrap();
        let next = portway_policy::PolicySetId(set.0 + 100);
        node.wanted.tables.sets.insert(next, policy);
        node.wanted.tables.pods.values_mut().filter(|it| it.set == set).for_each(|it| it.set = next);
    }
    let changes = node.ledger.enforce(&node.wanted);
    let refused = node.enforcer.apply(&changes, &Limits::default());
    assert!(matches!(refused[0], Refused::Rules { .. }), "{refused:?}");
    assert!(
        refused
            .iter()
            .any(|it| matches!(it, Refused::Pod { interface, error: None } if *interface == node.pod))
    );
    let packet = Packet::tcp(REMOTE[0], POD[0], SYN).frame();
    assert_eq!(node.gets(&packet), Verdict::Drop, "as before");
    assert_eq!(node.enforcer.standing().unwrap().pods[&node.pod].ingress, before.ingress);
}

/// Some rules, with tiers before and after NetworkPolicy.
fn some_rules() -> impl Strategy<Value = DirectionPolicy> {
    let decision = prop_oneof![Just(Decision::Pass), Just(Decision::Allow), Just(Decision::Deny)];
    let ruling = (0_u32..6, decision).prop_map(|(order, decision)| {
        // Rulings of one order decide the same.
        let decision = if order % 2 == 0 { Decision::Allow } else { decision };
        let order = order * 3 + decision as u32;
        Ruling { order, decision, policy: PolicyIndex(order) }
    });
    let rulings = (ruling.clone(), ruling).prop_map(|(first, then)| Rulings { first, then });
    let ports = (prop::sample::select(Protocol::ALL.to_vec()), 70_u16..90, 0_u16..10, rulings.clone());
    let class = prop::collection::vec(ports, 0..3).prop_map(|rules| {
        let mut class = Class::default();
        for (protocol, first, more, verdict) in rules {
            // No two of a protocol overlap.
            if class.ports.iter().all(|it: &PortRule| it.protocol != protocol) {
                class.ports.push(PortRule { protocol, first, last: first + more, verdict });
            }
        }
        class
    });
    let identity = prop::sample::select(vec![IdentityId(0), OF_NEIGHBOUR, OF_REMOTE]);
    let network =
        prop::sample::select(vec!["0.0.0.0/0", "10.0.0.0/8", "198.51.100.0/24", "::/0", "fd00::/8"]);
    let class_id = (0_u32..3).prop_map(ClassId);
    (
        rulings,
        prop::collection::btree_map(identity, class_id.clone(), 0..3),
        prop::collection::btree_map(network, class_id, 0..4),
        prop::collection::vec(class, 3),
    )
        .prop_map(|(default, by_identity, by_network, classes)| DirectionPolicy {
            default,
            by_identity,
            by_network: by_network.into_iter().map(|(it, class)| (it.parse().unwrap(), class)).collect(),
            classes,
        })
}

#[test]
fn the_kernel_decides_as_the_tables_do() {
    let state = RefCell::new((Guarded::new(), 1024_u16));
    let case = |rules: DirectionPolicy, peer: (usize, usize), to: u16, is_tcp: bool| {
        let (node, port) = &mut *state.borrow_mut();
        node.enforce(rules.clone(), OPEN());
        let (kind, family) = peer;
        let (text, identity) = [(REMOTE, OF_REMOTE), (OUTSIDE, IdentityId::UNKNOWN)][kind];
        // Each case has another port, since a flow that is known is not new.
        *port = port.checked_add(1).unwrap_or(1024);
        let mut source: SocketAddr = text[family].parse().unwrap();
        source.set_port(*port);
        let mut destination: SocketAddr = POD[family].parse().unwrap();
        destination.set_port(to);
        let [tcp, udp] = first_packets(&source.to_string(), &destination.to_string());
        let (packet, protocol) = if is_tcp { (tcp, Protocol::Tcp) } else { (udp, Protocol::Udp) };
        let ruling = rules.decide(PeerLookup { identity, address: source.ip() }, protocol, to);
        let expected = if ruling.decision == Decision::Deny { Verdict::Drop } else { Verdict::Pass };
        assert_eq!(node.gets(&packet.frame()), expected, "{ruling:?} of {rules:#?}");
    };
    let cases = (some_rules(), (0_usize..2, 0_usize..2), 70_u16..100, any::<bool>());
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&cases, |(rules, peer, to, is_tcp)| {
            case(rules, peer, to, is_tcp);
            Ok(())
        })
        .unwrap();
}
