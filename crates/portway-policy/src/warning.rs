//! What of a policy does not do what it seems to.

use std::fmt;
use std::sync::Arc;

use portway_config::NamespacedName;

use crate::network::BlockFault;
use crate::selector::SelectorFault;
use crate::tables::Direction;

/// A part of a policy that means nothing, or that does not reach some pods, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The NetworkPolicy.
    pub policy: NamespacedName,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkPolicy {}: {}", self.policy, self.problem)
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
        "spec.{place} opens no port by the name `{name}` at pods that lack it: {pods}, such as {example}"
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
}
