//! What becomes of a packet by the tables: the same lookups that the kernel does.

use std::net::IpAddr;

use crate::tables::{
    Class, ClassId, Decision, DirectionPolicy, IdentityId, LocalPod, PolicyIndex, Protocol, Ruling, Verdict,
};

/// What no policy can forbid.
const ALWAYS: Ruling = Ruling { order: 0, decision: Decision::Allow, policy: PolicyIndex::NONE };

/// The other end of a flow, as one side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerLookup {
    /// Who it is. For a flow through a Gateway that the kernel forwards: the Gateway's proxies.
    pub identity: IdentityId,
    /// Its address. For a flow through a Gateway that the kernel forwards: the client's.
    pub address: IpAddr,
}

impl LocalPod {
    /// What decides on a flow of this pod, by one direction of its policies: a pod cannot block access to itself.
    pub fn decide(
        &self,
        policy: &DirectionPolicy,
        peer: PeerLookup,
        (protocol, port): (Protocol, u16),
    ) -> Ruling {
        if self.addresses.contains(&peer.address) { ALWAYS } else { policy.decide(peer, protocol, port) }
    }
}

impl DirectionPolicy {
    /// What decides on a flow with that peer. Anything but [`Decision::Deny`] goes through.
    pub fn decide(&self, peer: PeerLookup, protocol: Protocol, port: u16) -> Ruling {
        if peer.identity == IdentityId::HOST {
            return ALWAYS;
        }
        let by_identity = self.by_identity.get(&peer.identity).copied();
        let by_network = self.network_class(peer.address);
        let verdicts = [by_identity, by_network].map(|class| self.verdict(class, protocol, port));
        let first = lower(verdicts.map(|it| it.first));
        if first.decision == Decision::Pass { lower(verdicts.map(|it| it.then)) } else { first }
    }

    /// The class of the most specific prefix.
    fn network_class(&self, address: IpAddr) -> Option<ClassId> {
        let covering = self.by_network.iter().filter(|(network, _)| network.contains(&address));
        covering.max_by_key(|(network, _)| network.prefix_len()).map(|(_, class)| *class)
    }

    fn verdict(&self, class: Option<ClassId>, protocol: Protocol, port: u16) -> Verdict {
        let class = class.and_then(|it| self.classes.get(it.0 as usize));
        class.and_then(|it| it.verdict(protocol, port)).unwrap_or(self.default)
    }
}

impl Class {
    /// What the class says of a port, if anything.
    fn verdict(&self, protocol: Protocol, port: u16) -> Option<Verdict> {
        let mut rules = self.ports.iter().filter(|it| it.protocol == protocol);
        rules.find(|it| (it.first..=it.last).contains(&port)).map(|it| it.verdict)
    }
}

/// The one of the lower order. Of the same order, the two decide the same.
fn lower([one, other]: [Ruling; 2]) -> Ruling {
    if other.order < one.order { other } else { one }
}
