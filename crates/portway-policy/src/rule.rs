//! NetworkPolicies, read: what the text means, and what of it means nothing.

use std::sync::Arc;

use portway_config::NamespacedName;
use portway_config::network_policy::{
    LabelSelector, NamedPort, NetworkPolicy, NetworkPolicySpec, PolicyPeer, PolicyPort, PortReference,
};

use crate::network::Block;
use crate::selector::Selector;
use crate::tables::{Decision, Direction, Protocol};
use crate::warning::{Place, Problem};

/// A policy that selects pods.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) name: NamespacedName,
    pub(crate) is_rehearsed: bool,
    pub(crate) pods: Selector,
    /// The rules of each direction that it isolates.
    ingress: Option<Vec<Rule>>,
    egress: Option<Vec<Rule>>,
}

/// What a rule decides on.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) place: Place,
    /// Of a NetworkPolicy, always [`Decision::Allow`].
    pub(crate) decision: Decision,
    /// None is everybody.
    pub(crate) peers: Option<Vec<Peer>>,
    /// None is every port, and every protocol.
    pub(crate) ports: Option<Vec<PortMatch>>,
}

/// The other end.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    Pods {
        /// None is the policy's own.
        namespaces: Option<Selector>,
        /// None is all.
        pods: Option<Selector>,
    },
    Block(Block),
}

/// Ports of the destination.
#[derive(Clone, Debug)]
pub(crate) enum PortMatch {
    Range {
        protocol: Protocol,
        first: u16,
        last: u16,
    },
    Named {
        /// None is whichever the port has.
        protocol: Option<Protocol>,
        name: Arc<str>,
    },
}

impl Policy {
    /// Reads a policy. None if it selects no pod; the problems tell why, and what else means nothing.
    pub(crate) fn parse(written: &NetworkPolicy, problems: &mut Vec<Problem>) -> Option<Self> {
        let spec = &written.spec;
        let is_rehearsed = is_rehearsed(written.rehearse.as_deref(), problems);
        let pods = match Selector::parse(&spec.pod_selector) {
            Ok(pods) => pods,
            Err(fault) => {
                problems.push(Problem::Subjects { fault });
                return None;
            }
        };
        let (isolates_ingress, isolates_egress) = directions(spec, problems);
        let rules = |direction, problems: &mut Vec<Problem>| -> Vec<Rule> {
            let rules = written_rules(spec, direction).into_iter().enumerate();
            rules.map(|(index, it)| Rule::parse(Place { direction, rule: index }, it, problems)).collect()
        };
        Some(Self {
            name: written.name.clone(),
            is_rehearsed,
            pods,
            ingress: isolates_ingress.then(|| rules(Direction::Ingress, problems)),
            egress: isolates_egress.then(|| rules(Direction::Egress, problems)),
        })
    }

    /// The rules of a direction, if it isolates its pods in that one.
    pub(crate) fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }

    /// All rules.
    pub(crate) fn all_rules(&self) -> impl Iterator<Item = &Rule> {
        Direction::ALL.into_iter().flat_map(|it| self.rules(it).unwrap_or_default())
    }
}

/// What the annotation says.
pub(crate) fn is_rehearsed(annotation: Option<&str>, problems: &mut Vec<Problem>) -> bool {
    match annotation {
        None | Some("false") => false,
        Some("true") => true,
        Some(value) => {
            problems.push(Problem::Rehearse { value: value.into() });
            false
        }
    }
}

/// Which directions it isolates (`policyTypes`).
fn directions(spec: &NetworkPolicySpec, problems: &mut Vec<Problem>) -> (bool, bool) {
    if spec.policy_types.is_empty() {
        return (true, !spec.egress.is_empty());
    }
    let unknown = spec.policy_types.iter().filter(|it| !matches!(&***it, "Ingress" | "Egress"));
    problems.extend(unknown.map(|it| Problem::PolicyType { value: it.clone() }));
    let names = |name: &str| spec.policy_types.iter().any(|it| **it == *name);
    (names("Ingress"), names("Egress"))
}

type WrittenRule<'a> = (&'a [PolicyPeer], &'a [PolicyPort]);

fn written_rules(spec: &NetworkPolicySpec, direction: Direction) -> Vec<WrittenRule<'_>> {
    match direction {
        Direction::Ingress => spec.ingress.iter().map(|it| (&*it.from, &*it.ports)).collect(),
        Direction::Egress => spec.egress.iter().map(|it| (&*it.to, &*it.ports)).collect(),
    }
}

impl Rule {
    fn parse(place: Place, (peers, ports): WrittenRule<'_>, problems: &mut Vec<Problem>) -> Self {
        let peers = (!peers.is_empty()).then(|| {
            let peers = peers.iter().enumerate();
            peers.filter_map(|(index, it)| Peer::parse((place, index), it, problems)).collect()
        });
        let ports = (!ports.is_empty()).then(|| {
            let ports = ports.iter().enumerate();
            ports.filter_map(|(index, it)| PortMatch::parse((place, index), it, problems)).collect()
        });
        Self { place, decision: Decision::Allow, peers, ports }
    }

    /// The names of ports that it uses.
    pub(crate) fn port_names(&self) -> impl Iterator<Item = (Option<Protocol>, &Arc<str>)> {
        self.ports.iter().flatten().filter_map(|it| match it {
            PortMatch::Named { protocol, name } => Some((*protocol, name)),
            PortMatch::Range { .. } => None,
        })
    }

    /// The selectors of pods that its peers have.
    pub(crate) fn pod_selectors(&self) -> impl Iterator<Item = &Selector> {
        self.peers.iter().flatten().filter_map(|it| match it {
            Peer::Pods { pods, .. } => pods.as_ref(),
            Peer::Block(_) => None,
        })
    }

    /// The blocks that its peers have.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.peers.iter().flatten().filter_map(|it| match it {
            Peer::Block(block) => Some(block),
            Peer::Pods { .. } => None,
        })
    }
}

impl Peer {
    fn parse(at: (Place, usize), written: &PolicyPeer, problems: &mut Vec<Problem>) -> Option<Self> {
        let selector = |written: &Option<LabelSelector>| written.as_ref().map(Selector::parse).transpose();
        let PolicyPeer { pod_selector, namespace_selector, ip_block } = written;
        if let Some(block) = ip_block {
            if pod_selector.is_some() || namespace_selector.is_some() {
                problems.push(Problem::PeerOfBoth { at });
                return None;
            }
            return match Block::parse(block) {
                Ok(block) => Some(Self::Block(block)),
                Err(fault) => {
                    problems.push(Problem::Block { at, fault });
                    None
                }
            };
        }
        if pod_selector.is_none() && namespace_selector.is_none() {
            problems.push(Problem::PeerOfNothing { at });
            return None;
        }
        match (selector(namespace_selector), selector(pod_selector)) {
            (Ok(namespaces), Ok(pods)) => Some(Self::Pods { namespaces, pods }),
            (Err(fault), _) | (_, Err(fault)) => {
                problems.push(Problem::PeerSelector { at, fault });
                None
            }
        }
    }
}

impl PortMatch {
    fn parse(at: (Place, usize), written: &PolicyPort, problems: &mut Vec<Problem>) -> Option<Self> {
        let PolicyPort { protocol, port, end_port } = written;
        let name = protocol.as_deref().unwrap_or("TCP");
        let Some(protocol) = protocol_named(name) else {
            problems.push(Problem::Protocol { at, value: name.into() });
            return None;
        };
        let range = match (port, end_port) {
            (None, None) => Some((0, u16::MAX)),
            (Some(PortReference::Name(name)), None) => {
                return Some(Self::Named { protocol: Some(protocol), name: name.clone() });
            }
            (Some(PortReference::Number(first)), end) => {
                let last = end.unwrap_or(*first);
                port_number(*first).zip(port_number(last)).filter(|(first, last)| first <= last)
            }
            (None | Some(PortReference::Name(_)), Some(_)) => None,
        };
        if range.is_none() {
            problems.push(Problem::Port { at });
        }
        range.map(|(first, last)| Self::Range { protocol, first, last })
    }
}

/// A number that can be a port's.
pub(crate) fn port_number(written: i32) -> Option<u16> {
    u16::try_from(written).ok().filter(|it| *it > 0)
}

/// Whether a port has that name, and the protocol if one is asked for.
pub(crate) fn is_named(port: &NamedPort, (protocol, name): (Option<Protocol>, &Arc<str>)) -> bool {
    let own = protocol_named(&port.protocol);
    port.name == *name && own.is_some() && protocol.is_none_or(|it| own == Some(it))
}

/// A protocol in the API's spelling.
pub(crate) fn protocol_named(name: &str) -> Option<Protocol> {
    match name {
        "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        "SCTP" => Some(Protocol::Sctp),
        _ => None,
    }
}
