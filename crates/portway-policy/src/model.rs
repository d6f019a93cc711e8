//! What the specification says, written down slowly: no tables, no identities, nothing that is prepared. Tests hold the tables to
//! it; it shares no code with what makes them.
//!
//! Words in quotation marks are those of `k8s.io/api/networking/v1/types.go` (v0.37) where nothing else is said. What nodes may do is not
//! in it: a node always reaches its pods, and they reach it.

mod cluster;

use std::net::IpAddr;

use ipnet::IpNet;
use portway_config::network_policy::{
    IpBlock, LabelSelector, Labels, NetworkPolicy, PolicyFacts, PolicyPeer, PolicyPod, PolicyPort,
    PortReference,
};

use self::cluster::{ClusterFlow, Said};
use crate::tables::{Direction, Protocol};

/// One end of a flow.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The pod, where it is one that has a network of its own.
    pub pod: Option<&'a PolicyPod>,
    /// The address by which the other end sees it.
    pub address: IpAddr,
}

/// What becomes of policies that are only rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rehearsed {
    /// They do nothing.
    Ignored,
    /// They are enforced as all others.
    Enforced,
}

/// Whether a flow may begin, by the policies of one of its ends: the destination's for ingress, the source's for egress.
pub fn verdict(
    facts: &PolicyFacts,
    direction: Direction,
    (from, to): (End<'_>, End<'_>),
    (protocol, port): (Protocol, u16),
    rehearsed: Rehearsed,
) -> bool {
    let (subject, peer) = match direction {
        Direction::Ingress => (to, from),
        Direction::Egress => (from, to),
    };
    let Some(subject) = subject.pod else {
        return true; // policies apply to pods
    };
    // "exception: a pod cannot block access to itself" (kubernetes.io/docs/concepts/services-networking/network-policies)
    if peer.pod.is_some_and(|it| it.uid == subject.uid) {
        return true;
    }
    // Not in the specification: what is forbidden to a pod is not known before its namespace is.
    if !facts.cluster_policies.is_empty() && !facts.namespaces.contains_key(&subject.name.namespace) {
        return false;
    }
    let flow = ClusterFlow { facts, direction, subject, peer, destination: to, protocol, port, rehearsed };
    // "If Admin tier has made a final decision (Accept or Deny) on a connection, then no further evaluation is done."
    match flow.said_by("Admin") {
        Some(Said::Accept) => return true,
        Some(Said::Deny) => return false,
        // "passes evaluation to the next tier"
        Some(Said::Pass) | None => {}
    }
    // "Traffic is allowed to a pod if there are no NetworkPolicies selecting the pod ... OR if the traffic matches at least one
    // ingress rule across all of the NetworkPolicy objects whose podSelector matches the pod."
    let counts =
        |it: &NetworkPolicy| rehearsed == Rehearsed::Enforced || it.rehearse.as_deref() != Some("true");
    let policies = facts.policies.values().filter(|it| counts(it) && isolates(it, direction, subject));
    let policies: Vec<_> = policies.collect();
    if policies.is_empty() {
        // "v1.NetworkPolicy always makes a final decision for selected pods. Further evaluation only happens for Pods not selected"
        // and "If a given connection wasn't allowed or denied by any of the tiers [...] all pods can communicate with each other."
        return flow.said_by("Baseline") != Some(Said::Deny);
    }
    policies.iter().any(|it| {
        let flow = Flow { facts, policy: it, peer, destination: to, protocol, port };
        match direction {
            Direction::Ingress => it.spec.ingress.iter().any(|it| flow.matches(&it.from, &it.ports)),
            Direction::Egress => it.spec.egress.iter().any(|it| flow.matches(&it.to, &it.ports)),
        }
    })
}

/// Whether a policy applies to a pod in a direction.
fn isolates(policy: &NetworkPolicy, direction: Direction, pod: &PolicyPod) -> bool {
    let spec = &policy.spec;
    let types: Vec<&str> = spec.policy_types.iter().map(|it| &**it).collect();
    let applies = match direction {
        // "all policies (whether or not they contain an ingress section) are assumed to affect ingress"
        Direction::Ingress => types.is_empty() || types.contains(&"Ingress"),
        // "policies that contain an egress section are assumed to affect egress"
        Direction::Egress if types.is_empty() => !spec.egress.is_empty(),
        Direction::Egress => types.contains(&"Egress"),
    };
    // "An empty selector matches all pods in the policy's namespace."
    applies && policy.name.namespace == pod.name.namespace && selects(&spec.pod_selector, &pod.labels)
}

struct Flow<'a> {
    facts: &'a PolicyFacts,
    policy: &'a NetworkPolicy,
    peer: End<'a>,
    destination: End<'a>,
    protocol: Protocol,
    port: u16,
}

impl Flow<'_> {
    /// "If this field is empty or missing, this rule matches all sources", and the same of ports.
    fn matches(&self, peers: &[PolicyPeer], ports: &[PolicyPort]) -> bool {
        (peers.is_empty() || peers.iter().any(|it| self.is_from(it)))
            && (ports.is_empty() || ports.iter().any(|it| self.is_to(it)))
    }

    fn is_from(&self, peer: &PolicyPeer) -> bool {
        match peer {
            PolicyPeer { ip_block: Some(block), pod_selector: None, namespace_selector: None } => {
                self.is_in(block).unwrap_or(false)
            }
            // "If this field is set then neither of the other fields can be."
            PolicyPeer { ip_block: Some(_), .. } => false,
            PolicyPeer { pod_selector: None, namespace_selector: None, .. } => false,
            PolicyPeer { pod_selector, namespace_selector, .. } => {
                let Some(pod) = self.peer.pod else { return false };
                let in_namespace = match namespace_selector {
                    // "Otherwise it selects the pods matching podSelector in the policy's own namespace."
                    None => pod.name.namespace == self.policy.name.namespace,
                    Some(selector) => {
                        let namespace = self.facts.namespaces.get(&pod.name.namespace);
                        namespace.is_some_and(|it| selects(selector, &it.labels))
                    }
                };
                // "Otherwise it selects all pods in the namespaces selected by namespaceSelector."
                in_namespace && pod_selector.as_ref().is_none_or(|it| selects(it, &pod.labels))
            }
        }
    }

    /// None if the block cannot be read.
    fn is_in(&self, block: &IpBlock) -> Option<bool> {
        let read = |text: &str| {
            let network: IpNet = text.parse().ok()?;
            // Bits beyond the prefix do not count; IPv4 written as IPv6 is neither.
            (!text.starts_with("::ffff:")).then(|| network.trunc())
        };
        let cidr = read(&block.cidr)?;
        let except: Vec<IpNet> = block.except.iter().map(|it| read(it)).collect::<Option<_>>()?;
        let address = self.peer.address;
        // "except is a slice of CIDRs that should not be included within an IPBlock"
        Some(cidr.contains(&address) && !except.iter().any(|it| it.contains(&address)))
    }

    fn is_to(&self, it: &PolicyPort) -> bool {
        // "If not specified, this field defaults to TCP."
        let protocol = match it.protocol.as_deref() {
            None | Some("TCP") => Protocol::Tcp,
            Some("UDP") => Protocol::Udp,
            Some("SCTP") => Protocol::Sctp,
            Some(_) => return false,
        };
        if protocol != self.protocol {
            return false;
        }
        let port = i32::from(self.port);
        match (&it.port, it.end_port) {
            // "If this field is not provided, this matches all port names and numbers."
            (None, None) => true,
            (Some(PortReference::Number(first)), None) => *first == port && port > 0,
            // "The endPort must be equal or greater than port."
            (Some(PortReference::Number(first)), Some(last)) => {
                (1..=65535).contains(first) && last <= 65535 && (*first..=last).contains(&port)
            }
            // "This can either be a numerical or named port on a pod", that is the destination.
            (Some(PortReference::Name(name)), None) => {
                let Some(pod) = self.destination.pod else { return false };
                let spelled = it.protocol.as_deref().unwrap_or("TCP");
                pod.ports
                    .iter()
                    .any(|it| it.name == *name && &*it.protocol == spelled && it.port == self.port)
            }
            // "This field cannot be defined if the port field is not defined or if the port field is defined as a named (string)
            // port."
            (None | Some(PortReference::Name(_)), Some(_)) => false,
        }
    }
}

/// `metav1.LabelSelector`: "A label selector is a label query over a set of resources. The result of matchLabels and
/// matchExpressions are ANDed. An empty label selector matches all objects." One that is not valid selects nothing.
fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let expressions = selector.match_expressions.iter();
    selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.clone().all(|it| match &*it.operator {
            "In" | "NotIn" => !it.values.is_empty(),
            "Exists" | "DoesNotExist" => it.values.is_empty(),
            _ => false,
        })
        && expressions.clone().all(|it| {
            let value = labels.get(&it.key);
            match &*it.operator {
                "In" => value.is_some_and(|value| it.values.contains(value)),
                "NotIn" => value.is_none_or(|value| !it.values.contains(value)),
                "Exists" => value.is_some(),
                _ => value.is_none(),
            }
        })
}
