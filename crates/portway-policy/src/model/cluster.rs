//! What the specification says of ClusterNetworkPolicies.
//!
//! Words in quotation marks are those of `sigs.k8s.io/network-policy-api/apis/v1alpha2` (v0.2.0).

use ipnet::IpNet;
use portway_config::cluster_policy::{
    ClusterNetworkPolicy, ClusterPeer, ClusterProtocol, ClusterSubject, NamespacedPods, ProtocolPorts,
};
use portway_config::network_policy::{LabelSelector, PolicyFacts, PolicyPod};

use super::{End, Rehearsed, selects};
use crate::tables::{Direction, Protocol};

/// What a rule makes of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Accept,
    Deny,
    Pass,
}

/// A flow, as the policies of one of its ends see it.
pub(super) struct ClusterFlow<'a> {
    pub(super) facts: &'a PolicyFacts,
    pub(super) direction: Direction,
    pub(super) subject: &'a PolicyPod,
    pub(super) peer: End<'a>,
    pub(super) destination: End<'a>,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) rehearsed: Rehearsed,
}

/// What makes a rule one that fails closed.
struct Unreadable;

impl ClusterFlow<'_> {
    /// What a tier says, if anything.
    pub(super) fn said_by(&self, tier: &str) -> Option<Said> {
        let counts = |it: &ClusterNetworkPolicy| {
            self.rehearsed == Rehearsed::Enforced || it.rehearse.as_deref() != Some("true")
        };
        let policies = self.facts.cluster_policies.values();
        let mut policies: Vec<_> = policies.filter(|it| counts(it) && *it.spec.tier == *tier).collect();
        // "Policies with lower priority values have higher precedence, and are checked before policies with higher priority
        // values in the same tier." Of the same priority, "the implementation can apply any": that is the first by name.
        policies.sort_by(|a, b| (a.spec.priority, &a.name).cmp(&(b.spec.priority, &b.name)));
        policies.into_iter().filter(|it| self.is_subject(&it.spec.subject)).find_map(|it| self.said_in(it))
    }

    /// "a rule that appears at the top of the ingress rules would take the highest precedence"
    fn said_in(&self, policy: &ClusterNetworkPolicy) -> Option<Said> {
        let spec = &policy.spec;
        match self.direction {
            Direction::Ingress => {
                spec.ingress.iter().find_map(|it| self.said(&it.action, &it.from, &it.protocols))
            }
            Direction::Egress => {
                spec.egress.iter().find_map(|it| self.said(&it.action, &it.to, &it.protocols))
            }
        }
    }

    fn is_subject(&self, subject: &ClusterSubject) -> bool {
        match subject {
            ClusterSubject { namespaces: Some(namespaces), pods: None } => {
                self.is_in(namespaces, self.subject)
            }
            ClusterSubject { namespaces: None, pods: Some(pods) } => self.is_one_of(pods, self.subject),
            // "Exactly one field must be set."
            _ => false,
        }
    }

    /// "Pods is used to select pods via namespace AND pod selectors."
    fn is_one_of(&self, pods: &NamespacedPods, pod: &PolicyPod) -> bool {
        is_valid(&pods.pod_selector)
            && self.is_in(&pods.namespace_selector, pod)
            && selects(&pods.pod_selector, &pod.labels)
    }

    fn is_in(&self, namespaces: &LabelSelector, pod: &PolicyPod) -> bool {
        let namespace = self.facts.namespaces.get(&pod.name.namespace);
        is_valid(namespaces) && namespace.is_some_and(|it| selects(namespaces, &it.labels))
    }

    fn said(&self, action: &str, peers: &[ClusterPeer], protocols: &[ClusterProtocol]) -> Option<Said> {
        match (self.matches(peers, protocols), action) {
            (Ok(false), _) => None,
            (Ok(true), "Accept") => Some(Said::Accept),
            (Ok(true), "Pass") => Some(Said::Pass),
            // "For "Accept" rules, "fail closed" means: "treat the rule as matching no traffic". For "Deny" and "Pass" rules, "fail
            // closed" means: "treat the rule as a 'Deny all' rule"."
            (Err(Unreadable), "Accept") => None,
            (Ok(true) | Err(Unreadable), _) => Some(Said::Deny),
        }
    }

    fn matches(&self, peers: &[ClusterPeer], protocols: &[ClusterProtocol]) -> Result<bool, Unreadable> {
        let from: Vec<bool> = peers.iter().map(|it| self.is_peer(it)).collect::<Result<_, _>>()?;
        let to: Vec<bool> = protocols.iter().map(|it| self.is_to(it)).collect::<Result<_, _>>()?;
        // "This field must be defined and contain at least one item."
        let is_by_name = protocols.iter().any(|it| it.destination_named_port.is_some());
        // "You can't use this in a rule that targets resources without named ports (e.g. Nodes or Networks)."
        if from.is_empty() || (is_by_name && peers.iter().any(|it| !it.networks.is_empty())) {
            return Err(Unreadable);
        }
        // "If unspecified, protocol-specific attributes will not be used to match traffic."
        Ok(from.contains(&true) && (to.is_empty() || to.contains(&true)))
    }

    fn is_peer(&self, peer: &ClusterPeer) -> Result<bool, Unreadable> {
        match peer {
            // "Note that host-networked pods are not included in this type of peer."
            ClusterPeer { namespaces: Some(it), pods: None, nodes: None, networks, domain_names }
                if networks.is_empty() && domain_names.is_empty() =>
            {
                readable(it)?;
                Ok(self.peer.pod.is_some_and(|pod| self.is_in(it, pod)))
            }
            ClusterPeer { namespaces: None, pods: Some(it), nodes: None, networks, domain_names }
                if networks.is_empty() && domain_names.is_empty() =>
            {
                readable(&it.namespace_selector)?;
                readable(&it.pod_selector)?;
                Ok(self.peer.pod.is_some_and(|pod| self.is_one_of(it, pod)))
            }
            // "cluster-internal traffic will be checked against the rule as well"
            ClusterPeer { namespaces: None, pods: None, nodes: None, networks, domain_names }
                if !networks.is_empty() && domain_names.is_empty() =>
            {
                let mut is_in_one = false;
                for network in networks {
                    let read: IpNet = network.parse().map_err(|_| Unreadable)?;
                    if network.starts_with("::ffff:") {
                        return Err(Unreadable);
                    }
                    is_in_one |= read.contains(&self.peer.address);
                }
                Ok(is_in_one)
            }
            _ => Err(Unreadable),
        }
    }

    fn is_to(&self, written: &ClusterProtocol) -> Result<bool, Unreadable> {
        let named = |it: &str| {
            let pod = self.destination.pod;
            let ports = pod.iter().flat_map(|it| &it.ports);
            let spelled = |protocol: Protocol| match protocol {
                Protocol::Tcp => "TCP",
                Protocol::Udp => "UDP",
                Protocol::Sctp => "SCTP",
                Protocol::Other => "",
            };
            let mut same = ports.filter(|port| &*port.name == it);
            same.any(|port| *port.protocol == *spelled(self.protocol) && port.port == self.port)
        };
        match written {
            ClusterProtocol { tcp: Some(it), udp: None, sctp: None, destination_named_port: None } => {
                self.is_port(Protocol::Tcp, it)
            }
            ClusterProtocol { tcp: None, udp: Some(it), sctp: None, destination_named_port: None } => {
                self.is_port(Protocol::Udp, it)
            }
            ClusterProtocol { tcp: None, udp: None, sctp: Some(it), destination_named_port: None } => {
                self.is_port(Protocol::Sctp, it)
            }
            ClusterProtocol { tcp: None, udp: None, sctp: None, destination_named_port: Some(name) } => {
                Ok(named(name))
            }
            _ => Err(Unreadable),
        }
    }

    fn is_port(&self, protocol: Protocol, ports: &ProtocolPorts) -> Result<bool, Unreadable> {
        let port = ports.destination_port.as_ref().ok_or(Unreadable)?;
        // "You must specify either Port or Range."
        let (first, last) = match (port.number, &port.range) {
            (Some(number), None) => (number, number),
            (None, Some(range)) => (range.start, range.end),
            _ => return Err(Unreadable),
        };
        let valid = 1..=65535;
        if !valid.contains(&first) || !valid.contains(&last) || last < first {
            return Err(Unreadable);
        }
        Ok(protocol == self.protocol && (first..=last).contains(&i32::from(self.port)))
    }
}

fn readable(selector: &LabelSelector) -> Result<(), Unreadable> {
    if is_valid(selector) { Ok(()) } else { Err(Unreadable) }
}

fn is_valid(selector: &LabelSelector) -> bool {
    selector.match_expressions.iter().all(|it| match &*it.operator {
        "In" | "NotIn" => !it.values.is_empty(),
        "Exists" | "DoesNotExist" => it.values.is_empty(),
        _ => false,
    })
}
