//! What is told of a node's pods and of what was denied to them.

use std::fmt;
use std::net::SocketAddr;

use portway_config::NamespacedName;
use portway_policy::PolicyName;

use super::layout::REHEARSED;

/// How a pod is guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The pod.
    pub pod: NamespacedName,
    /// The node's end of its veth pair, where the programs are.
    pub interface: Option<String>,
    /// Whether policies select it for what it gets, and for what it sends.
    pub is_isolated: [bool; 2],
    /// The same for policies that are only rehearsed.
    pub is_rehearsed: [bool; 2],
    /// Why nothing can be let through to it or from it, if that is so.
    pub problem: Option<String>,
}

/// What became of a flow that policies do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was dropped.
    Denied,
    /// It was let through, since the policy is only rehearsed.
    Rehearsed,
}

impl Outcome {
    pub(crate) fn of(number: u16) -> Self {
        if number == REHEARSED { Self::Rehearsed } else { Self::Denied }
    }

    /// As metrics spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Rehearsed => "rehearsed",
        }
    }
}

/// A flow that began to be denied, or would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Which policy denies it; absent: it is gone meanwhile.
    pub policy: Option<PolicyName>,
    /// The pod that it protects; absent: it is gone meanwhile.
    pub pod: Option<NamespacedName>,
    /// Whether it is for what the pod gets.
    pub is_ingress: bool,
    /// The Gateway that it came through, where the kernel forwards it from its client.
    pub gateway: Option<NamespacedName>,
    /// What became of it.
    pub outcome: Outcome,
    /// Number of the protocol.
    pub protocol: u8,
    /// Who began the flow. Without ports, those are zero; of an echo, they are its identifier.
    pub source: SocketAddr,
    /// With whom.
    pub destination: SocketAddr,
}

impl Denial {
    /// The name of the protocol, or its number.
    pub fn protocol(&self) -> String {
        match self.protocol {
            1 => "ICMP".to_owned(),
            6 => "TCP".to_owned(),
            17 => "UDP".to_owned(),
            58 => "ICMPv6".to_owned(),
            132 => "SCTP".to_owned(),
            other => format!("protocol {other}"),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.is_ingress { "ingress" } else { "egress" };
        let outcome = match self.outcome {
            Outcome::Denied => "denied",
            Outcome::Rehearsed => "would be denied",
        };
        let gone = || "(gone meanwhile)".to_owned();
        let policy = self
            .policy
            .as_ref()
            .map_or_else(|| format!("NetworkPolicy {}", gone()), |it| format!("{} {it}", it.kind()));
        let pod = self.pod.as_ref().map_or_else(gone, ToString::to_string);
        let protocol = self.protocol();
        write!(
            f,
            "{outcome} by {policy}, {direction} of the pod {pod}: {protocol} {} -> {}",
            self.source, self.destination
        )?;
        self.gateway.as_ref().map_or(Ok(()), |it| write!(f, ", through the Gateway {it}"))
    }
}
