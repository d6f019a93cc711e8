//! Questions of neighbours about addresses that the node announces.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use portway_ebpf::announce::{Announcer, Link, gratuitous};

use crate::bpffs::Bpffs;
use crate::node::{TestNode, Verdict};
use crate::wire::{take_apart_ip, transport_checksum};

const IPV4: [u8; 4] = [198, 51, 100, 50];
const IPV6: &str = "2001:db8:c::50";
const LINK: [u8; 6] = [2, 0, 0, 0, 0, 1];
const CLIENT_LINK: [u8; 6] = [2, 0, 0, 0, 0, 7];
const CLIENT_IPV4: [u8; 4] = [198, 51, 100, 7];
const ICMPV6: u8 = 58;

struct Announcing {
    node: TestNode,
    announcer: Announcer,
    _pins: Bpffs,
}

impl Announcing {
    fn new() -> Self {
        let pins = Bpffs::new();
        let node = TestNode::pinned(&pins.pins());
        let mut announcer = Announcer::open(&pins.pins()).unwrap();
        let link = Link { interface: node.clients, address: LINK };
        announcer.answer(IPV4.into(), link).unwrap();
        announcer.answer(IPV6.parse().unwrap(), link).unwrap();
        Self { node, announcer, _pins: pins }
    }
}

fn question_arp(target: [u8; 4]) -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &CLIENT_LINK, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
    frame.extend(CLIENT_LINK);
    frame.extend(CLIENT_IPV4);
    frame.extend([0; 6]);
    frame.extend(target);
    frame
}

/// A solicitation from `source`; a checksum is not looked at.
fn question_ndp(source: &str, target: &str, hop_limit: u8) -> Vec<u8> {
    let (source, target): (Ipv6Addr, Ipv6Addr) = (source.parse().unwrap(), target.parse().unwrap());
    let mut frame = [&[0x33, 0x33, 0xff, 0, 0, 0x50][..], &CLIENT_LINK, &[0x86, 0xdd]].concat();
    let option = if source.is_unspecified() { vec![] } else { [&[1, 1][..], &CLIENT_LINK].concat() };
    frame.extend([0x60, 0, 0, 0, 0, 24 + option.len() as u8, ICMPV6, hop_limit]);
    frame.extend(source.octets());
    frame.extend("ff02::1:ff00:50".parse::<Ipv6Addr>().unwrap().octets());
    frame.extend([135, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend(target.octets());
    frame.extend(option);
    frame
}

#[test]
fn arp_is_answered_for_what_is_announced_alone() {
    let mut it = Announcing::new();
    let (verdict, answer) = it.node.ingress(&question_arp(IPV4));
    assert_eq!(verdict, Verdict::Redirect);
    let mut expected = [&CLIENT_LINK[..], &LINK, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]].concat();
    expected.extend([&LINK[..], &IPV4, &CLIENT_LINK, &CLIENT_IPV4].concat());
    assert_eq!(answer, expected);

    let question = question_arp([198, 51, 100, 51]);
    assert_eq!(it.node.ingress(&question), (Verdict::Pass, question.clone()));
    assert_eq!(it.node.egress(&question_arp(IPV4)).0, Verdict::Pass, "the node's own question");
    it.announcer.stop(IPV4.into(), it.node.clients).unwrap();
    assert_eq!(it.node.ingress(&question_arp(IPV4)).0, Verdict::Pass);
}

#[test]
fn arp_of_other_kinds_is_not_ours() {
    let mut it = Announcing::new();
    for (at, byte) in [(15, 6), (16, 9), (18, 8), (19, 16), (21, 2), (21, 9)] {
        let mut question = question_arp(IPV4);
        question[at] = byte;
        assert_eq!(it.node.ingress(&question), (Verdict::Pass, question.clone()), "byte {at}: {byte}");
    }
}

#[test]
fn ndp_is_answered_to_who_asks_or_to_all() {
    let mut it = Announcing::new();
    for (source, to, to_link, flags) in [
        ("2001:db8:c::7", "2001:db8:c::7", CLIENT_LINK, 0x60),
        ("::", "ff02::1", [0x33, 0x33, 0, 0, 0, 1], 0x20),
    ] {
        let (verdict, answer) = it.node.ingress(&question_ndp(source, IPV6, 255));
        assert_eq!(verdict, Verdict::Redirect, "{source}");
        assert_eq!(answer[..14], [&to_link[..], &LINK, &[0x86, 0xdd]].concat());
        assert_eq!(answer[21], 255, "hop limit");
        assert_eq!(answer[20], ICMPV6);
        let (from, destination, _, message) = take_apart_ip(&answer[14..]);
        assert_eq!((from, destination), (IPV6.parse().unwrap(), to.parse().unwrap()));
        assert_eq!(transport_checksum(from, destination, ICMPV6, &message), 0);
        assert_eq!((message[0], message[1], message[4]), (136, 0, flags));
        let IpAddr::V6(target) = from else { panic!("{from}") };
        assert_eq!(message[8..24], target.octets());
        assert_eq!(message[24..], [&[2, 1][..], &LINK].concat());
    }
}

#[test]
fn ndp_from_beyond_a_router_or_about_others_is_not_ours() {
    let mut it = Announcing::new();
    let mut with_code = question_ndp("2001:db8:c::7", IPV6, 255);
    with_code[55] = 1;
    let mut echo = question_ndp("2001:db8:c::7", IPV6, 255);
    echo[54] = 128;
    for question in [
        question_ndp("2001:db8:c::7", IPV6, 254),
        question_ndp("2001:db8:c::7", "2001:db8:c::51", 255),
        with_code,
        echo,
    ] {
        assert_eq!(it.node.ingress(&question), (Verdict::Pass, question.clone()));
    }
}

#[test]
fn a_question_cut_short_at_every_byte_is_not_answered() {
    let mut it = Announcing::new();
    let arp = question_arp(IPV4);
    for length in 14..arp.len() {
        let short = arp[..length].to_vec();
        assert_eq!(it.node.ingress(&short), (Verdict::Pass, short), "{length} bytes of ARP");
    }
    // A whole header is the least that the kernel takes for a test run.
    let ndp = question_ndp("2001:db8:c::7", IPV6, 255);
    for length in 54..ndp.len() {
        let short = ndp[..length].to_vec();
        assert_eq!(it.node.ingress(&short), (Verdict::Pass, short), "{length} bytes of NDP");
    }
}

#[test]
fn another_that_says_it_has_the_address_is_believed_once_the_agent_is_silent() {
    let mut it = Announcing::new();
    let addresses: [IpAddr; 2] = [IPV4.into(), IPV6.parse().unwrap()];
    let foreign = |address| gratuitous(address, [2, 0, 0, 0, 0, 9]);
    it.announcer.live().unwrap();
    for frame in addresses.iter().flat_map(|it| foreign(*it)) {
        assert_eq!(it.node.ingress(&frame), (Verdict::Pass, frame.clone()));
    }
    assert_eq!(it.announcer.answered().len(), 2, "the agent lives");
    std::thread::sleep(Duration::from_millis(700));
    // Its own, from a switch that sends them back.
    for frame in addresses.iter().flat_map(|it| gratuitous(*it, LINK)) {
        assert_eq!(it.node.ingress(&frame).0, Verdict::Pass);
    }
    assert_eq!(it.announcer.answered().len(), 2);
    for (left, address) in [1, 0].into_iter().zip(addresses) {
        for frame in foreign(address) {
            assert_eq!(it.node.ingress(&frame).0, Verdict::Pass);
        }
        assert_eq!(it.announcer.answered().len(), left, "{address}");
    }
}
