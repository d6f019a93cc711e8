//! Replies, and what becomes of flows when policies change.

use std::time::Duration;

use portway_ebpf::Limits;
use portway_ebpf::policy::PolicyDrop;
use portway_ebpf::policy::layout::{DENIED, EGRESS, INGRESS, REHEARSED};
use portway_policy::{DirectionPolicy, PodPolicy, Ruled};

use crate::guarded::{
    ANY, DENIES, Guarded, NODE, OF_REMOTE, OUTSIDE, POD, REMOTE, SERVICE, Verdict, but_identity,
    first_packets, isolated, name,
};
use crate::wire::{ACK, FIN, Packet, RST, SYN, TCP};

/// What a server answers, and what its client sends then.
fn continued(packet: &Packet) -> [Packet; 2] {
    if packet.protocol == TCP {
        [packet.reversed().with_flags(SYN | ACK), packet.with_flags(ACK)]
    } else {
        [packet.reversed(), packet.clone()]
    }
}

#[test]
fn replies_to_what_was_let_in_go_out_though_the_pod_may_send_nothing() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    for family in 0..2 {
        for packet in first_packets(REMOTE[family], POD[family]) {
            let [reply, next] = continued(&packet);
            assert_eq!(node.sends(&reply.frame()), Verdict::Drop, "before: {reply:?}");
            let other = Packet { source: OUTSIDE[family].parse().unwrap(), ..packet.clone() };
            assert_eq!(node.gets(&other.frame()), Verdict::Drop);
            assert_eq!(node.gets(&packet.frame()), Verdict::Pass);
            assert_eq!(node.sends(&reply.frame()), Verdict::Pass);
            assert_eq!(node.gets(&next.frame()), Verdict::Pass);
            assert_eq!(node.sends(&reply.with_flags(ACK).frame()), Verdict::Pass);
            let mut stray = reply.clone();
            stray.source.set_port(81);
            assert_eq!(node.sends(&stray.frame()), Verdict::Drop, "of another flow");
        }
    }
}

#[test]
fn replies_to_what_was_sent_come_in_though_the_pod_may_get_nothing() {
    let mut node = Guarded::new();
    node.enforce(isolated(), but_identity(OF_REMOTE, ANY));
    for family in 0..2 {
        for packet in first_packets(POD[family], REMOTE[family]) {
            let [reply, next] = continued(&packet);
            assert_eq!(node.gets(&packet.reversed().frame()), Verdict::Drop, "before");
            assert_eq!(node.sends(&packet.frame()), Verdict::Pass);
            assert_eq!(node.gets(&reply.frame()), Verdict::Pass);
            assert_eq!(node.sends(&next.frame()), Verdict::Pass);
            // Nobody else may answer.
            let other = Packet { source: OUTSIDE[family].parse().unwrap(), ..reply };
            assert_eq!(node.gets(&other.frame()), Verdict::Drop);
        }
    }
}

#[test]
fn flows_that_go_both_ways_move_to_a_map_that_a_flood_does_not_reach() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    let packet = Packet::tcp(REMOTE[0], POD[0], SYN);
    let [reply, next] = continued(&packet);
    node.gets(&packet.frame());
    node.sends(&reply.frame());
    let lengths = |node: &mut Guarded| node.enforcer.flows().unwrap().map(|it| it.len());
    assert_eq!(lengths(&mut node), [0, 1]);
    node.gets(&next.frame());
    assert_eq!(lengths(&mut node), [1, 0]);
    for number in 0..20_000_u32 {
        let mut forged = Packet::udp(REMOTE[0], POD[0]);
        forged.source.set_port(u16::try_from(number % 60_000).unwrap());
        forged.destination.set_port(u16::try_from(1 + number / 60_000).unwrap());
        node.gets(&forged.frame());
    }
    assert_eq!(node.sends(&reply.with_flags(ACK).frame()), Verdict::Pass);
}

#[test]
fn a_change_of_policy_cuts_an_established_flow_in_both_directions() {
    let mut node = Guarded::new();
    for family in 0..2 {
        for packet in first_packets(REMOTE[family], POD[family]) {
            let [reply, next] = continued(&packet);
            node.enforce(but_identity(OF_REMOTE, ANY), isolated());
            for (packet, is_sent) in [(&packet, false), (&reply, true), (&next, false)] {
                let frame = packet.frame();
                let verdict = if is_sent { node.sends(&frame) } else { node.gets(&frame) };
                assert_eq!(verdict, Verdict::Pass);
            }
            node.enforce(isolated(), DirectionPolicy::open());
            // Even what the pod alone could send, since it is of a flow that it may not have.
            assert_eq!(node.sends(&reply.with_flags(ACK).frame()), Verdict::Drop);
            assert_eq!(node.gets(&next.frame()), Verdict::Drop);
            node.enforce(but_identity(OF_REMOTE, ANY), isolated());
            assert_eq!(node.gets(&next.frame()), Verdict::Pass, "allowed again");
            assert_eq!(node.sends(&reply.with_flags(ACK).frame()), Verdict::Pass);
        }
    }
}

#[test]
fn a_change_that_takes_nothing_away_cuts_nothing() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    let packet = Packet::tcp(REMOTE[0], POD[0], SYN);
    let [reply, next] = continued(&packet);
    node.gets(&packet.frame());
    node.sends(&reply.frame());
    node.enforce(DirectionPolicy::open(), DirectionPolicy::open());
    assert_eq!(node.gets(&next.frame()), Verdict::Pass);
    node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    assert_eq!(node.sends(&reply.with_flags(ACK).frame()), Verdict::Pass, "still a reply");
}

#[test]
fn a_flow_is_judged_again_when_its_peers_address_has_changed_hands() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    let packet = Packet::tcp(REMOTE[0], POD[0], SYN);
    let [reply, next] = continued(&packet);
    node.gets(&packet.frame());
    node.sends(&reply.frame());
    assert_eq!(node.gets(&next.frame()), Verdict::Pass);
    let address = packet.source.ip();
    node.wanted.tables.addresses.insert(address, portway_policy::IdentityId(77));
    node.apply();
    assert_eq!(node.sends(&reply.with_flags(ACK).frame()), Verdict::Drop);
    assert_eq!(node.gets(&next.frame()), Verdict::Drop);
}

#[test]
fn a_client_may_use_a_port_again_after_it_has_closed() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    let packet = Packet::tcp(REMOTE[0], POD[0], SYN);
    let [reply, next] = continued(&packet);
    for _ in 0..2 {
        assert_eq!(node.gets(&packet.frame()), Verdict::Pass);
        assert_eq!(node.sends(&reply.frame()), Verdict::Pass);
        assert_eq!(node.gets(&next.with_flags(FIN | ACK).frame()), Verdict::Pass);
        assert_eq!(node.sends(&reply.with_flags(FIN | ACK).frame()), Verdict::Pass);
    }
    assert_eq!(node.gets(&next.with_flags(RST).frame()), Verdict::Pass);
}

#[test]
fn an_answer_without_a_question_does_not_open_the_way_back() {
    let mut node = Guarded::new();
    // A server that may send anything, and whose client may not reach it: the connection is older than the policy.
    node.enforce(isolated(), DirectionPolicy::open());
    let packet = Packet::tcp(REMOTE[0], POD[0], SYN);
    let [reply, next] = continued(&packet);
    assert_eq!(node.sends(&reply.frame()), Verdict::Pass, "it may send");
    assert_eq!(node.sends(&reply.with_flags(ACK).frame()), Verdict::Pass);
    assert_eq!(node.gets(&next.frame()), Verdict::Drop);
}

#[test]
fn whoever_forges_a_servers_address_does_not_keep_its_answers_away() {
    let mut node = Guarded::new();
    node.enforce(isolated(), but_identity(OF_REMOTE, ANY));
    let question = Packet::udp(POD[0], REMOTE[0]);
    assert_eq!(node.gets(&question.reversed().frame()), Verdict::Drop, "forged");
    assert_eq!(node.sends(&question.frame()), Verdict::Pass);
    assert_eq!(node.gets(&question.reversed().frame()), Verdict::Pass);
}

#[test]
fn what_goes_to_a_service_is_judged_where_it_leaves() {
    let mut node = Guarded::new();
    node.enforce(isolated(), but_identity(OF_REMOTE, &[(portway_policy::Protocol::Tcp, 80, 80)]));
    for family in 0..2 {
        let mut source: std::net::SocketAddr = POD[family].parse().unwrap();
        source.set_port(50_000);
        let packet = Packet::tcp(&source.to_string(), SERVICE[family], SYN);
        assert_eq!(node.sends(&packet.frame()), Verdict::Pass, "not known yet where to");
        // kube-proxy has chosen: a pod that may be reached, by that port; another port; somebody else.
        for (peer, port, expected) in [
            (REMOTE[family], 80, Verdict::Pass),
            (REMOTE[family], 81, Verdict::Drop),
            (OUTSIDE[family], 80, Verdict::Drop),
        ] {
            let mut destination: std::net::SocketAddr = peer.parse().unwrap();
            destination.set_port(port);
            let translated = Packet { destination, ..packet.clone() };
            assert_eq!(node.lets_leave(&translated.frame()), expected, "{translated:?}");
            assert_eq!(node.lets_leave(&translated.frame()), expected, "again: {translated:?}");
        }
        // The reply, with the Service's address again.
        assert_eq!(node.gets(&packet.reversed().with_flags(SYN | ACK).frame()), Verdict::Pass);
    }
    assert_eq!(node.counted(DENIES, EGRESS, DENIED), (4, 8), "each flow once, each packet");
}

#[test]
fn the_node_is_reached_and_reaches_its_pods() {
    let mut node = Guarded::new();
    node.enforce(isolated(), isolated());
    for family in 0..2 {
        for packet in first_packets(NODE[family], POD[family]) {
            let (program, pod) = (portway_ebpf::policy::TO_POD, node.pod);
            assert_eq!(node.run(program, &packet.frame(), pod, 0), Verdict::Pass, "a probe");
            let [reply, _] = continued(&packet);
            assert_eq!(node.sends(&reply.frame()), Verdict::Pass, "its answer");
            // With the node's address, but not by the node: a client that is hidden behind it.
            let hidden = Packet {
                source: format!("{}:1", NODE[family].rsplit_once(':').unwrap().0).parse().unwrap(),
                ..packet
            };
            assert_eq!(node.gets(&hidden.frame()), Verdict::Drop);
        }
    }
}

fn rehearsing(rules: DirectionPolicy) -> PodPolicy {
    let open = || Ruled { enforced: DirectionPolicy::open(), rehearsed: None };
    PodPolicy { ingress: Ruled { rehearsed: Some(rules), ..open() }, egress: open() }
}

/// Packets as a client sends them that tries again when nobody answers.
fn attempts(node: &mut Guarded) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for port in 1..=5 {
        for peer in [REMOTE[0], OUTSIDE[0]] {
            let mut packet = Packet::tcp(peer, POD[0], SYN);
            packet.source.set_port(port);
            for _ in 0..3 {
                verdicts.push(node.gets(&packet.frame()));
            }
        }
    }
    verdicts
}

#[test]
fn a_rehearsal_counts_the_flows_that_are_denied_afterwards() {
    let rules = || but_identity(OF_REMOTE, ANY);
    let mut rehearsed = Guarded::new();
    rehearsed.rule(rehearsing(rules()));
    assert!(attempts(&mut rehearsed).iter().all(|it| *it == Verdict::Pass));
    let (flows, _) = rehearsed.counted(DENIES, INGRESS, REHEARSED);
    assert_eq!(rehearsed.drops(), []);
    let mut enforced = Guarded::new();
    enforced.enforce(rules(), DirectionPolicy::open());
    assert_eq!(attempts(&mut enforced).iter().filter(|it| **it == Verdict::Drop).count(), 15);
    assert_eq!(enforced.counted(DENIES, INGRESS, DENIED), (flows, 15));
    assert_eq!(flows, 5);
    assert_eq!(enforced.drops(), [(PolicyDrop::DeniedIngress, 15)]);
}

#[test]
fn user_space_is_told_of_each_flow_once() {
    let mut node = Guarded::new();
    node.enforce(isolated(), isolated());
    let packet = Packet::tcp(REMOTE[0], POD[0], SYN);
    for _ in 0..3 {
        node.gets(&packet.frame());
    }
    node.sends(&Packet::udp(POD[1], OUTSIDE[1]).frame());
    let events = node.enforcer.events();
    let [first, second] = &events[..] else { panic!("{events:?}") };
    assert_eq!((first.direction, first.outcome, first.policy), (INGRESS, DENIED, DENIES.0));
    assert_eq!(std::net::IpAddr::from(first.tuple.source), packet.source.ip());
    assert_eq!(u16::from(first.tuple.destination_port), 80);
    assert_eq!((first.identity, first.interface), (node.ledger_identity(), node.pod));
    assert_eq!((second.direction, second.tuple.protocol), (EGRESS, crate::wire::UDP));
    for port in 1..500 {
        let mut packet = packet.clone();
        packet.source.set_port(port);
        node.gets(&packet.frame());
    }
    let told = node.enforcer.events().len();
    assert!((50..250).contains(&told), "{told} of 499");
}

impl Guarded {
    /// The number that the remote pod's identity has in the maps.
    fn ledger_identity(&mut self) -> u32 {
        let standing = self.enforcer.standing().unwrap();
        let address: std::net::SocketAddr = REMOTE[0].parse().unwrap();
        assert!(self.wanted.tables.pods.contains_key(&name("pod")));
        standing.identities[&address.ip().into()]
    }
}

#[test]
fn what_is_over_is_swept_and_nothing_else() {
    let mut node = Guarded::new();
    node.enforce(but_identity(OF_REMOTE, ANY), isolated());
    for packet in first_packets(REMOTE[0], POD[0]) {
        let [reply, next] = continued(&packet);
        node.gets(&packet.frame());
        node.sends(&reply.frame());
        node.gets(&next.frame());
    }
    for packet in first_packets(OUTSIDE[0], POD[0]) {
        assert_eq!(node.gets(&packet.frame()), Verdict::Drop);
    }
    let lengths = |node: &mut Guarded| node.enforcer.flows().unwrap().map(|it| it.len());
    assert_eq!(lengths(&mut node), [2, 2]);
    let sweep = |node: &mut Guarded, limits: Limits| {
        // Time stamps are some milliseconds old at most.
        std::thread::sleep(Duration::from_millis(50));
        (node.enforcer.sweep(&limits).unwrap(), lengths(node))
    };
    let soon = Duration::from_millis(20);
    assert_eq!(sweep(&mut node, Limits::default()), (0, [2, 2]));
    let limits = Limits { udp_timeout: soon, ..Limits::default() };
    assert_eq!(sweep(&mut node, limits), (1, [2, 1]), "the datagram that nobody has answered");
    let limits = Limits { tcp_transitory_timeout: soon, ..Limits::default() };
    assert_eq!(sweep(&mut node, limits), (1, [2, 0]), "the connection that did not come about");
    let limits = Limits { udp_replied_timeout: soon, ..Limits::default() };
    assert_eq!(sweep(&mut node, limits), (1, [1, 0]));
    let limits = Limits { tcp_established_timeout: soon, ..Limits::default() };
    assert_eq!(sweep(&mut node, limits), (1, [0, 0]));
}
