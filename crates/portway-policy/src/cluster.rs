//! ClusterNetworkPolicies (policy.networking.k8s.io/v1alpha2), read: what the text means, and what of it means nothing.
//!
//! A rule of which a part cannot be read fails closed, as the API wants it for peers of a kind that the reader does not know
//! (`ClusterNetworkPolicyIngressPeer`): one that accepts matches nothing, one that denies or passes denies everything.

use std::sync::Arc;

use portway_config::cluster_policy::{
    ClusterEgressRule, ClusterIngressRule, ClusterNetworkPolicy, ClusterPeer, ClusterProtocol,
    ClusterSubject, NamespacedPods, ProtocolPorts,
};
use portway_config::network_policy::{LabelSelector, Labels};

use crate::network::Block;
use crate::rule::{Peer, PortMatch, Rule, is_rehearsed, port_number};
use crate::selector::{Selector, SelectorFault};
use crate::tables::{Decision, Direction, Protocol};
use crate::warning::{Place, Problem, Unreadable};

/// A policy that may select pods.
#[derive(Clone, Debug)]
pub(crate) struct ClusterPolicy {
    pub(crate) name: Arc<str>,
    pub(crate) tier: Tier,
    pub(crate) priority: i32,
    pub(crate) is_rehearsed: bool,
    pub(crate) subject: Subject,
    /// The rules of each direction, the first one first.
    ingress: Vec<Rule>,
    egress: Vec<Rule>,
}

/// When it is asked: before NetworkPolicies, or for pods that none of those selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Admin,
    Baseline,
}

/// The pods that it applies to.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    namespaces: Selector,
    /// None is all.
    pods: Option<Selector>,
}

impl ClusterPolicy {
    /// Reads a policy. None if it selects no pod; the problems tell why, and what else does not do what it seems to.
    pub(crate) fn parse(written: &ClusterNetworkPolicy, problems: &mut Vec<Problem>) -> Option<Self> {
        let spec = &written.spec;
        let is_rehearsed = is_rehearsed(written.rehearse.as_deref(), problems);
        let tier = match &*spec.tier {
            "Admin" => Tier::Admin,
            "Baseline" => Tier::Baseline,
            _ => {
                problems.push(Problem::Tier { value: spec.tier.clone() });
                return None;
            }
        };
        let subject = Subject::parse(&spec.subject, problems)?;
        let place = |direction, rule| Place { direction, rule };
        let ingress = spec.ingress.iter().enumerate();
        let ingress = ingress
            .map(|(index, it)| Written::from(it).read(place(Direction::Ingress, index), problems))
            .collect();
        let egress = spec.egress.iter().enumerate();
        let egress = egress
            .map(|(index, it)| Written::from(it).read(place(Direction::Egress, index), problems))
            .collect();
        let (name, priority) = (written.name.clone(), spec.priority);
        Some(Self { name, tier, priority, is_rehearsed, subject, ingress, egress })
    }

    /// The rules of a direction. None of them: it has no say there.
    pub(crate) fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

impl Subject {
    fn parse(written: &ClusterSubject, problems: &mut Vec<Problem>) -> Option<Self> {
        let selectors = match written {
            ClusterSubject { namespaces: Some(namespaces), pods: None } => (namespaces, None),
            ClusterSubject {
                namespaces: None,
                pods: Some(NamespacedPods { namespace_selector, pod_selector }),
            } => (namespace_selector, Some(pod_selector)),
            ClusterSubject { namespaces: None, pods: None }
            | ClusterSubject { namespaces: Some(_), pods: Some(_) } => {
                problems.push(Problem::SubjectOfNotOne);
                return None;
            }
        };
        let parse = |it: &LabelSelector| Selector::parse(it);
        match (parse(selectors.0), selectors.1.map(parse).transpose()) {
            (Ok(namespaces), Ok(pods)) => Some(Self { namespaces, pods }),
            (Err(fault), _) | (_, Err(fault)) => {
                problems.push(Problem::ClusterSubject { fault });
                None
            }
        }
    }

    /// Whether pods with these labels are among them, in a namespace with those.
    pub(crate) fn matches(&self, namespace: &Labels, pod: &Labels) -> bool {
        self.namespaces.matches(namespace) && self.pods.as_ref().is_none_or(|it| it.matches(pod))
    }

    /// The labels of pods that it looks at.
    pub(crate) fn pod_keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.pods.iter().flat_map(Selector::keys)
    }
}

/// A rule of either direction.
struct Written<'a> {
    action: &'a Arc<str>,
    peers: &'a [ClusterPeer],
    protocols: &'a [ClusterProtocol],
}

impl<'a> From<&'a ClusterIngressRule> for Written<'a> {
    fn from(it: &'a ClusterIngressRule) -> Self {
        Self { action: &it.action, peers: &it.from, protocols: &it.protocols }
    }
}

impl<'a> From<&'a ClusterEgressRule> for Written<'a> {
    fn from(it: &'a ClusterEgressRule) -> Self {
        Self { action: &it.action, peers: &it.to, protocols: &it.protocols }
    }
}

impl Written<'_> {
    fn read(&self, place: Place, problems: &mut Vec<Problem>) -> Rule {
        let decision = match &**self.action {
            "Accept" => Decision::Allow,
            "Deny" => Decision::Deny,
            "Pass" => Decision::Pass,
            _ => {
                problems.push(Problem::Action { place, value: self.action.clone() });
                Decision::Deny
            }
        };
        match self.peers_and_ports(place, problems) {
            Ok((peers, ports)) => Rule { place, decision, peers: Some(peers), ports },
            Err(why) => {
                problems.push(Problem::FailsClosed { place, accepts: decision == Decision::Allow, why });
                let nobody = decision == Decision::Allow;
                let decision = if nobody { Decision::Allow } else { Decision::Deny };
                Rule { place, decision, peers: nobody.then(Vec::new), ports: None }
            }
        }
    }

    #[allow(clippy::type_complexity, reason = "the two parts of a rule")]
    fn peers_and_ports(
        &self,
        place: Place,
        problems: &mut Vec<Problem>,
    ) -> Result<(Vec<Peer>, Option<Vec<PortMatch>>), Unreadable> {
        if self.peers.is_empty() {
            return Err(Unreadable::NoPeers);
        }
        let mut peers = Vec::new();
        for (index, it) in self.peers.iter().enumerate() {
            peers.extend(read_peer((place, index), it, problems)?);
        }
        let ports = self.protocols.iter().enumerate().map(|(index, it)| read_port(index, it));
        let ports = (!self.protocols.is_empty()).then(|| ports.collect::<Result<Vec<_>, _>>()).transpose()?;
        let has_names = ports.iter().flatten().any(|it| matches!(it, PortMatch::Named { .. }));
        match peers.iter().any(|it| matches!(it, Peer::Block(_))) && has_names {
            true => Err(Unreadable::NamedPortOfNetwork),
            false => Ok((peers, ports)),
        }
    }
}

fn read_peer(
    at: (Place, usize),
    written: &ClusterPeer,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Peer>, Unreadable> {
    let index = at.1;
    let ClusterPeer { namespaces, pods, nodes, networks, domain_names } = written;
    let has = [
        namespaces.is_some(),
        pods.is_some(),
        nodes.is_some(),
        !networks.is_empty(),
        !domain_names.is_empty(),
    ];
    match has.into_iter().filter(|it| *it).count() {
        0 => return Err(Unreadable::PeerOfNothing { index }),
        1 => {}
        _ => return Err(Unreadable::PeerOfSeveral { index }),
    }
    if nodes.is_some() {
        return Err(Unreadable::Nodes { index });
    }
    if !domain_names.is_empty() {
        return Err(Unreadable::DomainNames { index });
    }
    if let Some(namespaces) = namespaces.as_ref().or(pods.as_ref().map(|it| &it.namespace_selector)) {
        let pods = pods.as_ref().map(|it| &it.pod_selector);
        return match (Selector::parse(namespaces), pods.map(Selector::parse).transpose()) {
            (Ok(namespaces), Ok(pods)) => Ok(vec![Peer::Pods { namespaces: Some(namespaces), pods }]),
            // That is clear enough: nobody.
            (Err(fault @ SelectorFault::Contradiction { .. }), Ok(_))
            | (
                Ok(_) | Err(SelectorFault::Contradiction { .. }),
                Err(fault @ SelectorFault::Contradiction { .. }),
            ) => {
                problems.push(Problem::ClusterPeer { at, fault });
                Ok(Vec::new())
            }
            (Ok(_), Err(fault))
            | (Err(SelectorFault::Contradiction { .. }), Err(fault))
            | (Err(fault), _) => Err(Unreadable::Selector { index, fault }),
        };
    }
    let blocks = networks.iter().map(|it| Block::of(it).map(Peer::Block));
    blocks.collect::<Result<_, _>>().map_err(|fault| Unreadable::Network { index, fault })
}

fn read_port(index: usize, written: &ClusterProtocol) -> Result<PortMatch, Unreadable> {
    let of = |protocol, ports: &ProtocolPorts| {
        let port = ports.destination_port.as_ref().ok_or(Unreadable::Protocol { index })?;
        let (first, last) = match (port.number, &port.range) {
            (Some(number), None) => (number, number),
            (None, Some(range)) => (range.start, range.end),
            (None, None) | (Some(_), Some(_)) => return Err(Unreadable::Port { index }),
        };
        let range = port_number(first).zip(port_number(last)).filter(|(first, last)| first <= last);
        let (first, last) = range.ok_or(Unreadable::Port { index })?;
        Ok(PortMatch::Range { protocol, first, last })
    };
    match written {
        ClusterProtocol { tcp: Some(it), udp: None, sctp: None, destination_named_port: None } => {
            of(Protocol::Tcp, it)
        }
        ClusterProtocol { tcp: None, udp: Some(it), sctp: None, destination_named_port: None } => {
            of(Protocol::Udp, it)
        }
        ClusterProtocol { tcp: None, udp: None, sctp: Some(it), destination_named_port: None } => {
            of(Protocol::Sctp, it)
        }
        ClusterProtocol { tcp: None, udp: None, sctp: None, destination_named_port: Some(name) } => {
            Ok(PortMatch::Named { protocol: None, name: name.clone() })
        }
        _ => Err(Unreadable::Protocol { index }),
    }
}
