//! ClusterNetworkPolicies (policy.networking.k8s.io/v1alpha2), as node agents are sent them.
//!
//! As with NetworkPolicies nothing is compiled: tier, actions, selectors and CIDRs are the text that the user wrote, which the receiver
//! judges. A field that a newer version of the API has is not here; what is left of its union is then empty, and fails
//! closed as the API wants it (`portway-policy`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::network_policy::LabelSelector;

/// A ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClusterNetworkPolicy {
    /// Key: it has no namespace.
    pub name: Arc<str>,
    /// Value of the annotation that asks for [rehearsal](crate::network_policy::REHEARSE), if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearse: Option<Arc<str>>,
    /// Its spec.
    pub spec: ClusterNetworkPolicySpec,
}

/// `ClusterNetworkPolicySpec`, with the API's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterNetworkPolicySpec {
    /// Admin or Baseline.
    pub tier: Arc<str>,
    /// 0 to 1000; the lowest comes first.
    pub priority: i32,
    /// The pods that it applies to.
    pub subject: ClusterSubject,
    /// Rules for what may come, the first one first.
    pub ingress: Vec<ClusterIngressRule>,
    /// Rules for what may go, the first one first.
    pub egress: Vec<ClusterEgressRule>,
}

/// `ClusterNetworkPolicySubject`: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's fields")]
pub struct ClusterSubject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<NamespacedPods>,
}

/// `NamespacedPod`: pods of some namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespacedPods {
    /// Empty is all namespaces.
    pub namespace_selector: LabelSelector,
    /// Empty is all pods of those.
    pub pod_selector: LabelSelector,
}

/// `ClusterNetworkPolicyIngressRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterIngressRule {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Accept, Deny or Pass.
    pub action: Arc<str>,
    /// From whom.
    pub from: Vec<ClusterPeer>,
    /// To which ports of the pod; empty is everything.
    pub protocols: Vec<ClusterProtocol>,
}

/// `ClusterNetworkPolicyEgressRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterEgressRule {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Arc<str>>,
    /// Accept, Deny or Pass.
    pub action: Arc<str>,
    /// To whom.
    pub to: Vec<ClusterPeer>,
    /// To which ports of the peer; empty is everything.
    pub protocols: Vec<ClusterProtocol>,
}

/// `ClusterNetworkPolicyIngressPeer` and `ClusterNetworkPolicyEgressPeer`, which has more fields: one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the API's fields")]
pub struct ClusterPeer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<LabelSelector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<NamespacedPods>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<LabelSelector>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domain_names: Vec<Arc<str>>,
}

/// `ClusterNetworkPolicyProtocol`: one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the API's fields")]
pub struct ClusterProtocol {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<ProtocolPorts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<ProtocolPorts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sctp: Option<ProtocolPorts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_named_port: Option<Arc<str>>,
}

/// `ClusterNetworkPolicyProtocolTCP` and its like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the API's fields")]
pub struct ProtocolPorts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<DestinationPort>,
}

/// `Port`: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the API's fields")]
pub struct DestinationPort {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<PortRange>,
}

/// `PortRange`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortRange {
    /// The first port.
    pub start: i32,
    /// The last one, after it.
    pub end: i32,
}
