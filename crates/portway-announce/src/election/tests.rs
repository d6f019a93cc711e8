//! Nodes on a segment that loses nodes, agents and datagrams, and is parted; time is the test's.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::limits::GRATUITOUS_AGAIN;

const MILLISECOND: Duration = Duration::from_millis(1);
/// For a datagram from one node to another.
const DELAY: Duration = Duration::from_millis(2);
const SECOND: Duration = Duration::from_secs(1);

struct Node {
    election: Election,
    /// Its agent runs.
    lives: bool,
    /// Which side of a parted segment it is on.
    side: u8,
    /// What its kernel answers for: goes on when the agent is dead, until another's gratuitous ARP is seen.
    answers: BTreeSet<IpAddr>,
    takes: usize,
}

struct Segment {
    nodes: Vec<Node>,
    addresses: BTreeSet<IpAddr>,
    now: Duration,
    under_way: Vec<(Duration, usize, Heartbeat)>,
    /// Every so many datagrams one is lost.
    loses_each: usize,
    sent: usize,
}

fn name(number: usize) -> String {
    format!("node-{number}")
}

fn addresses(count: u8) -> BTreeSet<IpAddr> {
    (0..count).map(|it| Ipv4Addr::new(192, 0, 2, it).into()).collect()
}

impl Segment {
    fn new(nodes: usize, count: u8) -> Self {
        let addresses = addresses(count);
        let mut it = Self {
            nodes: vec![],
            addresses,
            now: SECOND,
            under_way: vec![],
            loses_each: usize::MAX,
            sent: 0,
        };
        it.nodes.extend((0..nodes).map(|_| Node {
            election: Election::new("none"),
            lives: false,
            side: 0,
            answers: BTreeSet::new(),
            takes: 0,
        }));
        (0..nodes).for_each(|number| it.start(number));
        it.pass(2 * SECOND);
        it
    }

    fn start(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        (node.election, node.lives) = (Election::new(name(number)), true);
        assert_eq!(node.election.serve(&self.addresses, self.now), []);
        node.election.resume(&node.answers);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = self.next_event().max(self.now + MILLISECOND).min(end);
            self.deliver();
            for number in 0..self.nodes.len() {
                self.step(number);
            }
        }
    }

    fn next_event(&mut self) -> Duration {
        let arrivals = self.under_way.iter().map(|it| it.0);
        let deadlines = self.nodes.iter_mut().filter(|it| it.lives).map(|it| it.election.deadline());
        arrivals.chain(deadlines).min().unwrap_or(Duration::MAX)
    }

    fn deliver(&mut self) {
        let now = self.now;
        let (arrived, rest) = std::mem::take(&mut self.under_way).into_iter().partition(|it| it.0 <= now);
        self.under_way = rest;
        let arrived: Vec<(Duration, usize, Heartbeat)> = arrived;
        for (_, from, heartbeat) in arrived {
            let side = self.nodes[from].side;
            for to in 0..self.nodes.len() {
                self.sent += 1;
                if self.nodes[to].lives
                    && self.nodes[to].side == side
                    && !self.sent.is_multiple_of(self.loses_each)
                {
                    let effects = self.nodes[to].election.hear(&heartbeat, now);
                    self.carry_out(to, effects);
                }
            }
        }
    }

    fn step(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        if !node.lives || self.now < node.election.deadline() {
            return;
        }
        let effects = node.election.tick(self.now);
        self.carry_out(number, effects);
        if let Some(heartbeat) = self.nodes[number].election.heartbeat(self.now) {
            self.under_way.push((self.now + DELAY, number, heartbeat));
        }
    }

    fn carry_out(&mut self, number: usize, effects: Vec<Effect>) {
        for effect in effects {
            let node = &mut self.nodes[number];
            let told = match effect {
                Effect::Take { address, .. } => {
                    node.takes += 1;
                    assert!(node.answers.insert(address) || node.takes > 0);
                    address
                }
                Effect::Announce { address } => address,
                Effect::Release { address } => {
                    node.answers.remove(&address);
                    continue;
                }
            };
            let side = self.nodes[number].side;
            let dead = self.nodes.iter_mut().enumerate().filter(|(it, node)| *it != number && !node.lives);
            for (_, node) in dead.filter(|(_, node)| node.side == side) {
                node.answers.remove(&told);
            }
        }
    }

    /// Who answers for an address.
    fn answering(&self, address: IpAddr) -> Vec<usize> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(|(_, it)| it.answers.contains(&address)).map(|(number, _)| number).collect()
    }

    fn assert_settled(&self) {
        for address in &self.addresses {
            let answering = self.answering(*address);
            assert_eq!(answering.len(), 1, "{address} at {answering:?}");
            let holder: Arc<str> = name(answering[0]).into();
            for node in self.nodes.iter().filter(|it| it.lives) {
                let held = node.election.held();
                let told = held.iter().find(|it| it.address == *address).unwrap();
                assert_eq!(told.holder.as_ref(), Some(&holder), "{address}");
            }
        }
    }

    fn takes(&self) -> usize {
        self.nodes.iter().map(|it| it.takes).sum()
    }
}

#[test]
fn each_address_is_taken_once_and_all_nodes_have_some() {
    let segment = Segment::new(4, 100);
    segment.assert_settled();
    assert_eq!(segment.takes(), 100);
    assert!(segment.nodes.iter().all(|it| it.takes > 10));
}

#[test]
fn a_dead_node_loses_its_addresses_within_a_second_and_the_others_keep_theirs() {
    let mut segment = Segment::new(3, 50);
    let lost = segment.nodes[1].answers.len();
    let before = segment.takes();
    segment.nodes[1].lives = false;
    segment.nodes[1].answers.clear();
    segment.pass(Duration::from_millis(900));
    segment.assert_settled();
    assert_eq!(segment.takes() - before, lost);
}

#[test]
fn a_killed_agent_loses_its_addresses_once_its_kernel_hears_of_it() {
    let mut segment = Segment::new(2, 10);
    let before = segment.takes();
    for killed in [0, 1, 0, 1] {
        segment.nodes[killed].lives = false;
        segment.pass(Duration::from_millis(900));
        segment.assert_settled();
        assert!(segment.nodes[killed].answers.is_empty());
        segment.start(killed);
        segment.pass(2 * SECOND);
    }
    assert!(segment.takes() > before);
}

#[test]
fn an_agent_that_is_back_before_anybody_has_noticed_finds_its_addresses_as_they_were() {
    let mut segment = Segment::new(1, 3);
    let answers = segment.nodes[0].answers.clone();
    segment.nodes[0].lives = false;
    segment.pass(300 * MILLISECOND);
    segment.start(0);
    segment.pass(SECOND);
    assert_eq!(segment.nodes[0].answers, answers);
    segment.assert_settled();
}

#[test]
fn who_leaves_is_relieved_at_once() {
    let mut segment = Segment::new(3, 30);
    let now = segment.now;
    segment.nodes[2].election.leave(now);
    segment.pass(100 * MILLISECOND);
    assert!(!segment.nodes[2].election.holds_any());
    segment.assert_settled();
}

#[test]
fn who_leaves_as_the_last_keeps_all() {
    let mut segment = Segment::new(1, 2);
    let now = segment.now;
    segment.nodes[0].election.leave(now);
    segment.pass(5 * SECOND);
    assert_eq!(segment.nodes[0].answers.len(), 2);
}

#[test]
fn a_node_that_is_drained_gives_all_away_but_not_if_all_are() {
    let mut segment = Segment::new(2, 10);
    let now = segment.now;
    segment.nodes[0].election.set_eligible(false, now);
    segment.pass(200 * MILLISECOND);
    segment.assert_settled();
    assert!(segment.nodes[0].answers.is_empty());
    let now = segment.now;
    segment.nodes[1].election.set_eligible(false, now);
    let before = segment.takes();
    segment.pass(300 * SECOND);
    assert_eq!(segment.takes(), before, "there is nobody to give it to");
    segment.assert_settled();
}

#[test]
fn the_halves_of_a_parted_segment_agree_again() {
    let mut segment = Segment::new(4, 20);
    (segment.nodes[0].side, segment.nodes[1].side) = (1, 1);
    segment.pass(2 * SECOND);
    for address in segment.addresses.clone() {
        let sides: Vec<_> = segment.answering(address).iter().map(|it| segment.nodes[*it].side).collect();
        assert!(sides == [0, 1] || sides == [1, 0], "each half has a holder: {sides:?}");
    }
    segment.nodes.iter_mut().for_each(|it| it.side = 0);
    segment.pass(400 * MILLISECOND);
    segment.assert_settled();
}

#[test]
fn addresses_return_to_a_node_that_has_come_to_stay_and_rest_there() {
    let mut segment = Segment::new(2, 20);
    let fair = segment.nodes[1].answers.clone();
    segment.nodes[1].lives = false;
    segment.pass(2 * SECOND);
    segment.start(1);
    segment.pass(CALM - 2 * SECOND);
    assert!(segment.nodes[1].answers.is_empty(), "not yet");
    segment.pass(10 * SECOND);
    assert_eq!(segment.nodes[1].answers, fair);
    let takes = segment.takes();
    segment.pass(3 * CALM);
    assert_eq!(segment.takes(), takes);
    segment.assert_settled();
}

#[test]
fn an_address_that_only_one_node_knows_stays_there() {
    let mut segment = Segment::new(2, 20);
    let now = segment.now;
    let effects = segment.nodes[1].election.serve(&BTreeSet::new(), now);
    let released = effects.len();
    segment.carry_out(1, effects);
    assert!(released > 0);
    segment.pass(2 * SECOND);
    let takes = segment.takes();
    segment.pass(5 * CALM);
    assert_eq!((segment.nodes[0].answers.len(), segment.takes()), (20, takes));
}

#[test]
fn a_node_that_slept_does_not_take_what_it_only_did_not_hear_of() {
    let mut segment = Segment::new(2, 20);
    let takes = segment.takes();
    // It wakes up after half a minute, with nothing in its queue.
    let node = &mut segment.nodes[1];
    node.lives = false;
    let answers = node.answers.clone();
    segment.pass(30 * SECOND);
    segment.nodes[1].lives = true;
    segment.pass(SECOND);
    segment.assert_settled();
    assert_eq!(segment.takes() - takes, answers.len(), "by the one that was awake");
}

#[derive(Clone, Debug)]
enum Fault {
    Kill(usize),
    Die(usize),
    Leave(usize),
    Start(usize),
    Part(usize),
    Join,
    Drain(usize, bool),
}

fn fault() -> impl Strategy<Value = (Fault, u64)> {
    let node = 0..4_usize;
    let what = prop_oneof![
        node.clone().prop_map(Fault::Kill),
        node.clone().prop_map(Fault::Die),
        node.clone().prop_map(Fault::Leave),
        node.clone().prop_map(Fault::Start),
        node.clone().prop_map(Fault::Part),
        Just(Fault::Join),
        (node, any::<bool>()).prop_map(|(node, is_ready)| Fault::Drain(node, is_ready)),
    ];
    (what, 0..1500_u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever has happened: in the end each address is at exactly one node.
    #[test]
    fn in_the_end_each_address_is_at_one_node(
        faults in prop::collection::vec(fault(), 0..12),
        loses_each in prop_oneof![Just(usize::MAX), 7..40_usize],
    ) {
        let mut segment = Segment::new(4, 12);
        segment.loses_each = loses_each;
        for (fault, wait) in faults {
            let now = segment.now;
            match fault {
                Fault::Kill(node) => segment.nodes[node].lives = false,
                Fault::Die(node) => {
                    segment.nodes[node].lives = false;
                    segment.nodes[node].answers.clear();
                }
                Fault::Leave(node) => segment.nodes[node].election.leave(now),
                Fault::Start(node) if !segment.nodes[node].lives => segment.start(node),
                Fault::Start(_) => {}
                Fault::Part(node) => segment.nodes[node].side = 1,
                Fault::Join => segment.nodes.iter_mut().for_each(|it| it.side = 0),
                Fault::Drain(node, is_ready) => segment.nodes[node].election.set_eligible(is_ready, now),
            }
            segment.pass(Duration::from_millis(wait));
        }
        segment.nodes.iter_mut().for_each(|it| it.side = 0);
        // One that lives, and does not want to leave.
        segment.nodes[0].lives = false;
        segment.start(0);
        segment.loses_each = usize::MAX;
        segment.pass(GRATUITOUS_AGAIN + 2 * SECOND);
        segment.assert_settled();
    }
}
