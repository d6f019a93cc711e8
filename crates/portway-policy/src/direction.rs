//! The rules for one direction of one kind of pod, as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use portway_config::network_policy::{Labels, NamedPort};

use crate::identity::Identity;
use crate::network::{everywhere, partition};
use crate::rule::{Peer, PortMatch, Rule, is_named, protocol_named};
use crate::tables::{
    Class, ClassId, Decision, Direction, DirectionPolicy, IdentityId, PolicyIndex, PortRule, Protocol,
    Ruling, Verdict,
};

/// The order of what a NetworkPolicy allows: before the denial of the pods that are isolated.
const ALLOWED: u32 = 0;
/// The order of the denial of pods that are isolated: after all that anybody allows.
const ISOLATED: u32 = u32::MAX - 1;

/// Who there is.
pub(crate) struct World<'a> {
    /// All that are known.
    pub(crate) identities: Vec<(IdentityId, &'a Identity)>,
    /// The labels of each namespace.
    pub(crate) namespaces: BTreeMap<&'a Arc<str>, &'a Labels>,
    /// The ports of pods that have names, by address.
    pub(crate) ports: BTreeMap<IpAddr, &'a [NamedPort]>,
}

/// A policy that has a say on the pod in this direction.
#[derive(Clone, Copy)]
pub(crate) struct Applied<'a> {
    pub(crate) index: PolicyIndex,
    /// Its namespace, if it is of one.
    pub(crate) namespace: Option<&'a Arc<str>>,
    pub(crate) rules: &'a [Rule],
}

/// The policies that have a say on the pod in this direction, in the order in which they are asked.
pub(crate) struct Tiers<'a> {
    pub(crate) admin: Vec<Applied<'a>>,
    /// In the order of their names: of several that allow or isolate, the first is named.
    pub(crate) network: Vec<Applied<'a>>,
    /// Asked if the tier before is empty: that one decides on all.
    pub(crate) baseline: Vec<Applied<'a>>,
}

impl<'a> Tiers<'a> {
    pub(crate) fn len(&self) -> usize {
        self.admin.len() + self.network.len() + self.baseline.len()
    }

    fn rules(&self) -> Vec<AppliedRule<'a>> {
        let mut rules = in_order(Turn::First, &self.admin);
        match &*self.network {
            [] => rules.extend(in_order(Turn::Then, &self.baseline)),
            network => rules.extend(network.iter().flat_map(|it| it.rules(Turn::Then, |_| ALLOWED))),
        }
        rules
    }
}

/// Rules of which the first that speaks of a packet decides.
fn in_order<'a>(turn: Turn, policies: &[Applied<'a>]) -> Vec<AppliedRule<'a>> {
    let mut all = Vec::new();
    for it in policies {
        // There are fewer than four thousand million: each has a place in memory.
        let before = all.len() as u32;
        all.extend(it.rules(turn, |index| before + index));
    }
    all
}

impl<'a> Applied<'a> {
    fn rules(&self, turn: Turn, order: impl Fn(u32) -> u32) -> impl Iterator<Item = AppliedRule<'a>> {
        let Self { index: policy, namespace, rules } = *self;
        (0..).zip(rules).map(move |(index, rule)| {
            let ruling = Ruling { order: order(index), decision: rule.decision, policy };
            AppliedRule { turn, ruling, namespace, rule }
        })
    }
}

/// Which of the two rulings of a [`Verdict`] a rule has a say in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    First,
    Then,
}

/// Makes the table of one direction.
pub(crate) struct Compilation<'a> {
    direction: Direction,
    world: &'a World<'a>,
    /// The ports of the pod that have names.
    own_ports: &'a [NamedPort],
    rules: Vec<AppliedRule<'a>>,
    default: Verdict,
    classes: BTreeMap<Class, ClassId>,
    /// What was made of the same rules with the same ports.
    made: BTreeMap<Vec<Matched>, Option<ClassId>>,
}

#[derive(Clone, Copy)]
struct AppliedRule<'a> {
    turn: Turn,
    ruling: Ruling,
    namespace: Option<&'a Arc<str>>,
    rule: &'a Rule,
}

/// What a rule says of the ports of one peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Matched {
    turn: Turn,
    ruling: Ruling,
    ports: Vec<Ports>,
}

/// Ports that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ports {
    protocol: Protocol,
    first: u16,
    last: u16,
}

impl<'a> Compilation<'a> {
    pub(crate) fn new(
        direction: Direction,
        world: &'a World<'a>,
        own_ports: &'a [NamedPort],
        tiers: &Tiers<'a>,
    ) -> Self {
        let rules = tiers.rules();
        let then = match tiers.network.first() {
            Some(first) => Ruling { order: ISOLATED, decision: Decision::Deny, policy: first.index },
            None => Ruling::PASS,
        };
        let default = Verdict { first: Ruling::PASS, then };
        Self { direction, world, own_ports, rules, default, classes: BTreeMap::new(), made: BTreeMap::new() }
    }

    pub(crate) fn compile(mut self) -> DirectionPolicy {
        let by_identity = self.by_identity();
        let by_network = self.by_network();
        let mut classes: Vec<_> = self.classes.into_iter().map(|(class, id)| (id, class)).collect();
        classes.sort_unstable_by_key(|(id, _)| *id);
        let classes = classes.into_iter().map(|(_, class)| class).collect();
        DirectionPolicy { default: self.default, by_identity, by_network, classes }
    }

    fn by_identity(&mut self) -> BTreeMap<IdentityId, ClassId> {
        let world = self.world;
        let mut classes = BTreeMap::new();
        for (id, identity) in &world.identities {
            let matched = self.rules.iter().filter(|it| self.speaks_of(it, identity));
            let matched = matched.map(|it| self.matched(it, Some(&identity.ports))).collect();
            if let Some(class) = self.class(matched) {
                classes.insert(*id, class);
            }
        }
        classes
    }

    /// Whether the class of an identity needs a rule. One for everybody is in the classes of addresses, except for ports whose
    /// name only the identity tells.
    fn speaks_of(&self, it: &AppliedRule<'_>, identity: &Identity) -> bool {
        let Some(peers) = &it.rule.peers else {
            return self.direction == Direction::Egress && it.rule.port_names().next().is_some();
        };
        peers.iter().any(|peer| match peer {
            Peer::Block(_) => false,
            Peer::Pods { namespaces, pods } => {
                let is_in_namespace = match namespaces {
                    None => it.namespace == Some(&identity.namespace),
                    Some(selector) => {
                        let labels = self.world.namespaces.get(&identity.namespace);
                        labels.is_some_and(|labels| selector.matches(labels))
                    }
                };
                is_in_namespace && pods.as_ref().is_none_or(|it| it.matches(&identity.labels))
            }
        })
    }

    fn by_network(&mut self) -> Vec<(IpNet, ClassId)> {
        let mut found = Vec::new();
        // The classes of the prefixes that contain the one at hand, from outside to inside.
        let mut around: Vec<(IpNet, Option<ClassId>)> = Vec::new();
        // In this order each prefix comes before those within it.
        for prefix in self.prefixes() {
            while around.last().is_some_and(|(outer, _)| !outer.contains(&prefix)) {
                around.pop();
            }
            let outer = around.last().and_then(|(_, class)| *class);
            let ports = self.world.ports.get(&prefix.addr()).filter(|_| is_host(&prefix)).copied();
            let matched = self.rules.iter().filter(|it| match &it.rule.peers {
                None => true,
                Some(_) => it.rule.blocks().any(|block| block.holds(&prefix)),
            });
            let matched = matched.map(|it| self.matched(it, ports)).collect();
            let class = self.class(matched);
            if class != outer {
                found.push((prefix, class.unwrap_or_else(|| self.class_id(Class::default()))));
            }
            around.push((prefix, class));
        }
        found
    }

    /// All prefixes at which something changes.
    fn prefixes(&self) -> BTreeSet<IpNet> {
        let rules = self.rules.iter().map(|it| it.rule);
        let mut prefixes = partition(rules.clone().flat_map(Rule::blocks));
        if rules.clone().any(|it| it.peers.is_none()) {
            prefixes.extend(everywhere());
        }
        if self.direction == Direction::Egress {
            // Pods have the ports of their own whose names rules use, wherever a block holds them.
            for rule in rules.filter(|it| it.port_names().next().is_some()) {
                let pods = self.world.ports.iter().filter(|(_, ports)| !ports.is_empty());
                let held = pods.filter(|(address, _)| rule.blocks().any(|it| it.contains(**address)));
                prefixes.extend(held.map(|(address, _)| IpNet::from(*address)));
            }
        }
        prefixes
    }

    /// What a rule says. `peer_ports`: the peer's ports that have names, as far as there are any.
    fn matched(&self, it: &AppliedRule<'_>, peer_ports: Option<&[NamedPort]>) -> Matched {
        let named = match self.direction {
            Direction::Ingress => self.own_ports,
            Direction::Egress => peer_ports.unwrap_or_default(),
        };
        Matched { turn: it.turn, ruling: it.ruling, ports: ports(it.rule, named) }
    }

    /// The class of these rules. None if they speak of no port.
    fn class(&mut self, mut matched: Vec<Matched>) -> Option<ClassId> {
        matched.retain(|it| !it.ports.is_empty());
        if let Some(made) = self.made.get(&matched) {
            return *made;
        }
        let ports: Vec<_> =
            Protocol::ALL.into_iter().flat_map(|it| port_rules(it, &matched, self.default)).collect();
        let id = (!ports.is_empty()).then(|| self.class_id(Class { ports }));
        self.made.insert(matched, id);
        id
    }

    fn class_id(&mut self, class: Class) -> ClassId {
        // There are fewer classes than identities and prefixes, which do not fill the memory.
        let next = ClassId(self.classes.len() as u32);
        *self.classes.entry(class).or_insert(next)
    }
}

fn is_host(prefix: &IpNet) -> bool {
    prefix.prefix_len() == prefix.max_prefix_len()
}

/// The ports of a rule, names among them as `named` has them.
fn ports(rule: &Rule, named: &[NamedPort]) -> Vec<Ports> {
    let Some(written) = &rule.ports else {
        return Protocol::ALL.map(|protocol| Ports { protocol, first: 0, last: u16::MAX }).into();
    };
    let mut found = Vec::new();
    for it in written {
        match it {
            PortMatch::Range { protocol, first, last } => {
                found.push(Ports { protocol: *protocol, first: *first, last: *last });
            }
            PortMatch::Named { protocol, name } => {
                let same = named.iter().filter(|it| is_named(it, (*protocol, name)));
                found.extend(same.filter_map(|it| {
                    let protocol = protocol_named(&it.protocol)?;
                    Some(Ports { protocol, first: it.port, last: it.port })
                }));
            }
        }
    }
    found
}

/// Ranges that do not overlap, each with the verdict of all that speak of it; those that follow each other with the same one are
/// one.
fn port_rules(protocol: Protocol, matched: &[Matched], default: Verdict) -> Vec<PortRule> {
    let of_protocol = |it: &&Ports| it.protocol == protocol;
    let all = matched.iter().flat_map(|it| it.ports.iter().filter(of_protocol));
    // The first port of a range, and the one after its last: beyond them nothing changes.
    let edges: BTreeSet<u32> = all.flat_map(|it| [u32::from(it.first), u32::from(it.last) + 1]).collect();
    let mut found: Vec<PortRule> = Vec::new();
    for (start, end) in edges.iter().zip(edges.iter().skip(1)) {
        // The last edge is at most 65,536, and no range begins there.
        let (first, last) = (*start as u16, (*end - 1) as u16);
        let speaks = |it: &Matched| {
            it.ports.iter().filter(of_protocol).any(|it| (it.first..=it.last).contains(&first))
        };
        let lowest = |turn| {
            let rulings = matched.iter().filter(|it| it.turn == turn && speaks(it)).map(|it| it.ruling);
            rulings.min_by_key(|it| it.order)
        };
        let verdict = match (lowest(Turn::First), lowest(Turn::Then)) {
            (None, None) => continue,
            (first, then) => {
                Verdict { first: first.unwrap_or(default.first), then: then.unwrap_or(default.then) }
            }
        };
        match found.last_mut() {
            Some(before) if before.verdict == verdict && u32::from(before.last) + 1 == *start => {
                before.last = last;
            }
            _ => found.push(PortRule { protocol, first, last, verdict }),
        }
    }
    found
}
