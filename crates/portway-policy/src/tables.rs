//! The tables: what user space hands to the maps of the kernel.
//!
//! A packet between two pods is judged twice: by the egress side of the pod that sends it and by the ingress side of the
//! pod that gets it, each on the node of that pod, and each by [`decide`](crate::decide), whose lookups are the kernel's:
//!
//! 1. The peer's identity, by its address (a pod of this node: by its interface, so that nobody has a forged address's rights),
//!    and the [class](Class) of that identity; the class of its address, by longest prefix. Either may be missing.
//! 2. In each of the two classes, the [`Verdict`] of protocol and destination port, by longest prefix. Where there is none, and
//!    for a class that is missing, it is the direction's `default`.
//! 3. Of the two verdicts' `first` rulings the one of the lower order counts. It decides, unless it says pass;
//!    then the one of the lower order of their `then` rulings decides, and passing lets the packet through.
//!
//! Replies are not judged: they belong to a flow that was.
//!
//! # Changing from one state to the next
//!
//! A [`PolicySetId`] always means the same rules, and neither it nor an [`IdentityId`] is used a second time. The sets of a state
//! also judge the identities of the state before it, by the new rules. So if a change is written in this order, there is no moment at
//! which a pod or a policy counts other than it was before or is afterwards: new sets; which set each pod has; addresses;
//! and last, sets and addresses that are no more are taken away. Where [`compile`](crate::Compiler::compile) returns two
//! states, the first is written to the end before the second.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use portway_config::NamespacedName;

/// Who has an address: all pods that no policy can tell from each other. Never used a second time; an agent that starts anew goes on from
/// what its maps hold ([`Former`](crate::Former)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId(pub u32);

impl IdentityId {
    /// Not a pod of this cluster, or one that is not known yet.
    pub const UNKNOWN: Self = Self(0);
    /// This node itself, by any of its addresses. Never looked up: a pod is always reached by its own node and reaches it.
    pub const HOST: Self = Self(1);
    /// Another node of the cluster. Plain policies know it by its address alone.
    pub const REMOTE_NODE: Self = Self(2);
    /// The first one that pods have.
    pub const FIRST_OF_PODS: Self = Self(16);
}

/// A [`PodPolicy`]. The same number always means the same rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicySetId(pub u32);

/// A class within a [`DirectionPolicy`]: an index of its `classes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// A policy, to be named in a log line and in counters. Never used a second time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyIndex(pub u32);

impl PolicyIndex {
    /// No policy: what happens where none speaks of it.
    pub const NONE: Self = Self(0);
}

/// The name of a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyName {
    /// A NetworkPolicy.
    Namespaced(NamespacedName),
    /// A ClusterNetworkPolicy.
    Cluster(Arc<str>),
}

impl PolicyName {
    /// Its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Namespaced(_) => "NetworkPolicy",
            Self::Cluster(_) => "ClusterNetworkPolicy",
        }
    }
}

/// With its namespace, if it has one. So no two policies look the same.
impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespaced(name) => name.fmt(f),
            Self::Cluster(name) => name.fmt(f),
        }
    }
}

/// Which of a pod's packets: those that it gets or those that it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];
}

/// What policies tell apart. The number is that of IP (IANA's protocol numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Protocol {
    /// Every protocol that is none of the others, such as ICMP: only rules without ports speak of it. Its port is 0.
    Other = 0,
    /// TCP.
    Tcp = 6,
    /// UDP.
    Udp = 17,
    /// SCTP.
    Sctp = 132,
}

impl Protocol {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Other, Self::Tcp, Self::Udp, Self::Sctp];
    /// Those that have ports.
    pub const WITH_PORTS: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];
}

/// All that one node enforces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The pods of the cluster by address, those of this node among them. A pod in its node's network is not here: its address
    /// is the node's.
    pub addresses: BTreeMap<IpAddr, IdentityId>,
    /// The pods of this node, without those in its network.
    pub pods: BTreeMap<NamespacedName, LocalPod>,
    /// Their policies.
    pub sets: BTreeMap<PolicySetId, Arc<PodPolicy>>,
    /// Who the proxies of a Gateway are, whether there are any at the moment or not. For a flow that the kernel forwards straight
    /// from its client to a pod, this is the peer's identity at the pod, and the client's address is the
    /// peer's address.
    pub gateways: BTreeMap<NamespacedName, IdentityId>,
    /// The names of the policies that verdicts speak of.
    pub policies: BTreeMap<PolicyIndex, PolicyName>,
}

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPod {
    /// Tells it from a former pod of the same name.
    pub uid: Arc<str>,
    /// Its addresses: one for each IP family, or none yet. What it sends to itself is not judged: a pod cannot block itself.
    pub addresses: Vec<IpAddr>,
    /// Who it is.
    pub identity: IdentityId,
    /// What it may get and send.
    pub set: PolicySetId,
}

/// What a pod may get and send.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodPolicy {
    /// What it may get. Ports are its own.
    pub ingress: Ruled,
    /// What it may send. Ports are the peer's.
    pub egress: Ruled,
}

impl PodPolicy {
    /// One of the two sides.
    pub fn side(&self, direction: Direction) -> &Ruled {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

/// One side of a pod's policies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ruled {
    /// What is enforced.
    pub enforced: DirectionPolicy,
    /// What would be, if the policies that are only rehearsed were enforced as well; `None` where that is no other.
    /// What `enforced` allows and this denies is counted and logged, and passes.
    pub rehearsed: Option<DirectionPolicy>,
}

/// The rules for one direction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DirectionPolicy {
    /// Where no rule speaks of peer and port. A pod that policies isolate in this direction: denied, by the first of them.
    pub default: Verdict,
    /// The class of each identity that rules speak of.
    pub by_identity: BTreeMap<IdentityId, ClassId>,
    /// The class of each prefix that rules speak of, sorted. The most specific prefix counts, even where its class is
    /// empty: it is then one that is excepted. IPv4 and IPv6 never meet; see [`mapped_networks`](Self::mapped_networks).
    pub by_network: Vec<(IpNet, ClassId)>,
    /// What the classes are, by [`ClassId`].
    pub classes: Vec<Class>,
}

/// What holds for all peers that the same rules speak of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// Sorted; no two of a protocol overlap. See [`prefixes`](crate::port::prefixes) for how a range is looked up.
    pub ports: Vec<PortRule>,
}

/// The verdict for ports that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRule {
    /// Protocol.
    pub protocol: Protocol,
    /// The first port.
    pub first: u16,
    /// The last one, the first or after it.
    pub last: u16,
    /// What happens.
    pub verdict: Verdict,
}

/// What one class says. See the [module](self) for how two are joined.
///
/// Two rulings, since a tier can pass a packet on: what follows then is for both classes to say, and the class that
/// passed it on need not be the one that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verdict {
    /// By the tiers before NetworkPolicy (policy.networking.k8s.io). [`Ruling::PASS`] where there are none.
    pub first: Ruling,
    /// By NetworkPolicies, or by the tiers after them for a pod that none selects.
    pub then: Ruling,
}

/// What a tier says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ruling {
    /// The lowest counts. In one direction, two rulings of the same order decide the same.
    pub order: u32,
    /// What happens.
    pub decision: Decision,
    /// Which policy says so.
    pub policy: PolicyIndex,
}

impl Ruling {
    /// Nothing is said.
    pub const PASS: Self = Self { order: u32::MAX, decision: Decision::Pass, policy: PolicyIndex::NONE };
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Decision {
    /// The next tier decides; after the last one, it goes through.
    Pass = 0,
    /// It goes through.
    Allow = 1,
    /// It is dropped.
    Deny = 2,
}

/// A prefix of addresses as the kernel's maps have it, IPv4 as `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MappedPrefix {
    /// The address, in network byte order.
    pub address: [u8; 16],
    /// How many of its bits count.
    pub length: u8,
}

impl DirectionPolicy {
    /// Nobody selects the pod in this direction.
    pub fn open() -> Self {
        Self {
            default: Verdict { first: Ruling::PASS, then: Ruling::PASS },
            by_identity: BTreeMap::new(),
            by_network: Vec::new(),
            classes: Vec::new(),
        }
    }

    /// Nobody is let through.
    pub fn closed() -> Self {
        let first = Ruling { order: 0, decision: Decision::Deny, policy: PolicyIndex::NONE };
        Self { default: Verdict { first, then: Ruling::PASS }, ..Self::open() }
    }

    /// `by_network` for one map that holds both families. An IPv6 prefix such as `::/0`, which would cover the mapped IPv4
    /// addresses, is kept off them by an entry without a class (`None`): the address then has none.
    pub fn mapped_networks(&self) -> Vec<(MappedPrefix, Option<ClassId>)> {
        let mapped_ipv4 =
            MappedPrefix { address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], length: 96 };
        let mut entries: Vec<_> = self
            .by_network
            .iter()
            .map(|(network, class)| (MappedPrefix::of(network), Some(*class)))
            .collect();
        if entries.iter().all(|(prefix, _)| *prefix != mapped_ipv4) {
            entries.push((mapped_ipv4, None));
        }
        entries
    }
}

impl MappedPrefix {
    /// The same prefix.
    pub fn of(network: &IpNet) -> Self {
        match network {
            IpNet::V4(it) => {
                Self { address: it.network().to_ipv6_mapped().octets(), length: 96 + it.prefix_len() }
            }
            IpNet::V6(it) => Self { address: it.network().octets(), length: it.prefix_len() },
        }
    }
}
