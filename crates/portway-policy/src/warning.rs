//! What of a policy does not do what it seems to.

use std::fmt;
use std::sync::Arc;

use portway_config::NamespacedName;

use crate::network::BlockFault;
use crate::selector::SelectorFault;
use crate::tables::{Direction, PolicyName};

/// A part of a policy that means nothing, or that does not reach some pods, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The policy.
    pub policy: PolicyName,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.policy.kind(), self.policy, self.problem)
    }
}

/// A rule of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// In which list.
    pub direction: Direction,
    /// Its index there.
    pub rule: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.direction {
            Direction::Ingress => write!(f, "ingress[{}]", self.rule),
            Direction::Egress => write!(f, "egress[{}]", self.rule),
        }
    }
}

/// The field of a peer.
fn peer((place, index): &(Place, usize)) -> String {
    match place.direction {
        Direction::Ingress => format!("{place}.from[{index}]"),
        Direction::Egress => format!("{place}.to[{index}]"),
    }
}

/// The field of a port.
fn port((place, index): &(Place, usize)) -> String {
    format!("{place}.ports[{index}]")
}

/// What is wrong. What cannot be read lets nobody through, so a mistake never opens what it was to close.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// `podSelector` selects no pod, whatever there is.
    #[error("spec.podSelector selects no pod, so the policy protects none: {fault}")]
    Subjects {
        /// Why.
        fault: SelectorFault,
    },
    /// A direction that there is not.
    #[error("spec.policyTypes has `{value}`, which is neither Ingress nor Egress and protects nothing")]
    PolicyType {
        /// What stands there.
        value: Arc<str>,
    },
    /// The annotation is neither true nor false.
    #[error(
        "the annotation portway.dev/rehearse is `{value}`, neither true nor false; the policy is enforced"
    )]
    Rehearse {
        /// What stands there.
        value: Arc<str>,
    },
    /// A selector of a peer selects nobody.
    #[error("spec.{} matches no pod and lets nobody through: {fault}", peer(at))]
    PeerSelector {
        /// The rule, and the index of the peer.
        at: (Place, usize),
        /// Why.
        fault: SelectorFault,
    },
    /// A peer with neither selector nor block.
    #[error("spec.{} names neither pods nor a block and lets nobody through", peer(at))]
    PeerOfNothing {
        /// The rule, and the index of the peer.
        at: (Place, usize),
    },
    /// A peer with both selector and block.
    #[error(
        "spec.{} has an ipBlock beside a selector, which the API forbids; it lets nobody through",
        peer(at)
    )]
    PeerOfBoth {
        /// The rule, and the index of the peer.
        at: (Place, usize),
    },
    /// A block that cannot be read.
    #[error("spec.{}.ipBlock lets nobody through: {fault}", peer(at))]
    Block {
        /// The rule, and the index of the peer.
        at: (Place, usize),
        /// Why.
        fault: BlockFault,
    },
    /// A protocol that there is not.
    #[error("spec.{} opens no port: `{value}` is not one of TCP, UDP and SCTP", port(at))]
    Protocol {
        /// The rule, and the index of the port.
        at: (Place, usize),
        /// What stands there.
        value: Arc<str>,
    },
    /// No port, or no range of ports.
    #[error(
        "spec.{} opens no port: a port is from 1 to 65535, and endPort needs a number in port that is not larger",
        port(at)
    )]
    Port {
        /// The rule, and the index of the port.
        at: (Place, usize),
    },
    /// Some pods have no port of that name.
    #[error(
        "spec.{place} is about no port by the name `{name}` at pods that lack it: {pods}, such as {example}"
    )]
    PortName {
        /// The rule.
        place: Place,
        /// The name.
        name: Arc<str>,
        /// How many lack it.
        pods: usize,
        /// One of them.
        example: NamespacedName,
    },
    /// Selected pods in the network of their node.
    #[error("it does not protect pods in the network of their node: {pods}, such as {example}")]
    HostNetwork {
        /// How many.
        pods: usize,
        /// One of them.
        example: NamespacedName,
    },
    /// Selected pods without an address.
    #[error(
        "pods that it selects have no address, nobody reaches them, nor they anybody: {pods}, such as {example}"
    )]
    NoAddress {
        /// How many.
        pods: usize,
        /// One of them.
        example: NamespacedName,
    },
    /// A tier that there is not.
    #[error("spec.tier is `{value}`, neither Admin nor Baseline; the policy does nothing")]
    Tier {
        /// What stands there.
        value: Arc<str>,
    },
    /// Neither of the fields of a subject, or both.
    #[error("spec.subject has not just one of namespaces and pods, so the policy applies to no pod")]
    SubjectOfNotOne,
    /// The subject is no pod, whatever there is.
    #[error("spec.subject selects no pod, so the policy applies to none: {fault}")]
    ClusterSubject {
        /// Why.
        fault: SelectorFault,
    },
    /// An action that there is not.
    #[error("spec.{place}.action is `{value}`, none of Accept, Deny and Pass; the rule denies")]
    Action {
        /// The rule.
        place: Place,
        /// What stands there.
        value: Arc<str>,
    },
    /// A selector of a peer selects nobody.
    #[error("spec.{} is nobody: {fault}", peer(at))]
    ClusterPeer {
        /// The rule, and the index of the peer.
        at: (Place, usize),
        /// Why.
        fault: SelectorFault,
    },
    /// A part of a rule cannot be read, so the rule is on the safe side.
    #[error("spec.{}, so the rule {}", why.of(*place), if *accepts { "accepts nothing" } else { "denies everything" })]
    FailsClosed {
        /// The rule.
        place: Place,
        /// Whether it was to accept.
        accepts: bool,
        /// What cannot be read.
        why: Unreadable,
    },
}

/// What of a rule of a ClusterNetworkPolicy cannot be read, or is not supported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "index: of the peer or protocol, in each")]
pub enum Unreadable {
    /// The list of peers is empty.
    NoPeers,
    /// A peer that says nothing that Portway knows.
    PeerOfNothing { index: usize },
    /// A peer that says more than one thing.
    PeerOfSeveral { index: usize },
    /// A selector.
    Selector { index: usize, fault: SelectorFault },
    /// A network.
    Network { index: usize, fault: BlockFault },
    /// Nodes, which Portway does not support.
    Nodes { index: usize },
    /// Domain names, which Portway does not support.
    DomainNames { index: usize },
    /// An element of `protocols` that is none, or several.
    Protocol { index: usize },
    /// A port that is none.
    Port { index: usize },
    /// Networks have no ports with names.
    NamedPortOfNetwork,
}

impl Unreadable {
    /// What is wrong, with its place in the spec.
    fn of(&self, place: Place) -> String {
        let peer = |index: &usize| peer(&(place, *index));
        match self {
            Self::NoPeers => format!("{place} names no peer"),
            Self::PeerOfNothing { index } => {
                format!("{} is none of the peers that Portway knows", peer(index))
            }
            Self::PeerOfSeveral { index } => format!("{} has more than one field", peer(index)),
            Self::Selector { index, fault } => format!("{} cannot be read: {fault}", peer(index)),
            Self::Network { index, fault } => format!("{}.networks cannot be read: {fault}", peer(index)),
            Self::Nodes { index } => format!("{}.nodes is not supported", peer(index)),
            Self::DomainNames { index } => format!("{}.domainNames is not supported", peer(index)),
            Self::Protocol { index } => {
                format!("{place}.protocols[{index}] is none of the protocols that Portway knows, or several")
            }
            Self::Port { index } => format!(
                "{place}.protocols[{index}] has no port: one is from 1 to 65535, and a range ends after its start"
            ),
            Self::NamedPortOfNetwork => {
                format!("{place} has both networks and a destinationNamedPort, which networks have none of")
            }
        }
    }
}
