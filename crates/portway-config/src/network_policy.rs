//! What node agents know for network policy: pods, namespaces, the policies themselves, and who the proxies of a Gateway are.
//!
//! Agents are sent these facts and compile them by themselves (`portway-policy`), each for its own pods. A change of one pod is then a
//! change of one small resource, whereas the compiled rules of every pod that admits it would be many and large; and
//! numbers that the kernel's maps have need not be agreed upon with a controller that may start anew.
//!
//! Nothing here is compiled: selectors, operators and CIDRs are the text that the user wrote, which the receiver judges.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use portway_shared_map::SharedMap;
use serde::{Deserialize, Serialize};

use crate::cluster_policy::ClusterNetworkPolicy;
use crate::configuration::values;
use crate::key::NamespacedName;

/// Labels of an object.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// All that decides what network policies do. What two states have in common is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct PolicyFacts {
    /// Namespaces by name.
    #[serde(serialize_with = "values")]
    pub namespaces: SharedMap<Arc<str>, Arc<PolicyNamespace>>,
    /// Pods that have not ended.
    #[serde(serialize_with = "values")]
    pub pods: SharedMap<NamespacedName, Arc<PolicyPod>>,
    /// NetworkPolicies.
    #[serde(serialize_with = "values")]
    pub policies: SharedMap<NamespacedName, Arc<NetworkPolicy>>,
    /// ClusterNetworkPolicies by name.
    #[serde(serialize_with = "values", skip_serializing_if = "SharedMap::is_empty")]
    pub cluster_policies: SharedMap<Arc<str>, Arc<ClusterNetworkPolicy>>,
    /// Proxies by Gateway.
    #[serde(serialize_with = "values")]
    pub proxies: SharedMap<NamespacedName, Arc<GatewayProxies>>,
}

impl PolicyFacts {
    /// Whether this is a cluster. One without a namespace there is not: none means that a controller of an older version tells
    /// nothing of policies, and not that there are no policies.
    pub fn is_told(&self) -> bool {
        !self.namespaces.is_empty()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
            && self.pods.is_empty()
            && self.policies.is_empty()
            && self.cluster_policies.is_empty()
            && self.proxies.is_empty()
    }
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyNamespace {
    /// Key.
    pub name: Arc<str>,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
}

/// A pod that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PolicyPod {
    /// Key.
    pub name: NamespacedName,
    /// Tells it from a former pod of the same name.
    pub uid: Arc<str>,
    /// Seconds since 1970 at which it was made: of two pods that claim an address, the later one has it.
    #[serde(default)]
    pub created: i64,
    /// Whether it is being deleted.
    #[serde(default)]
    pub is_leaving: bool,
    /// The node that it is on.
    pub node: Arc<str>,
    /// Its labels.
    #[serde(default)]
    pub labels: Labels,
    /// The ports of its containers that have a name.
    #[serde(default)]
    pub ports: Vec<NamedPort>,
    /// Its addresses: at most one for each IP family.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// Whether it has no network of its own, and its addresses are those of its node.
    #[serde(default)]
    pub host_network: bool,
}

/// A port of a container that has a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NamedPort {
    /// The name.
    pub name: Arc<str>,
    /// The protocol, in the API's spelling.
    pub protocol: Arc<str>,
    /// The port.
    pub port: u16,
}

/// A NetworkPolicy (networking.k8s.io/v1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkPolicy {
    /// Key.
    pub name: NamespacedName,
    /// Value of the annotation that asks for rehearsal, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearse: Option<Arc<str>>,
    /// Its spec.
    pub spec: NetworkPolicySpec,
}

/// The annotation that asks for a policy to be rehearsed: what it would deny is counted and logged, and passes.
pub const REHEARSE: &str = "portway.dev/rehearse";

/// `NetworkPolicySpec` of networking.k8s.io/v1, with the API's fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicySpec {
    /// The pods of its namespace that it applies to; empty is all.
    pub pod_selector: LabelSelector,
    /// Directions; none stands for Ingress, and Egress too where there are egress rules.
    pub policy_types: Vec<Arc<str>>,
    /// What may come.
    pub ingress: Vec<IngressRule>,
    /// What may go.
    pub egress: Vec<EgressRule>,
}

/// `NetworkPolicyIngressRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct IngressRule {
    /// From whom; empty is from everybody.
    pub from: Vec<PolicyPeer>,
    /// To which ports of the pod; empty is all.
    pub ports: Vec<PolicyPort>,
}

/// `NetworkPolicyEgressRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct EgressRule {
    /// To whom; empty is to everybody.
    pub to: Vec<PolicyPeer>,
    /// To which ports of the peer; empty is all.
    pub ports: Vec<PolicyPort>,
}

/// `NetworkPolicyPeer`: selectors, or a block of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the API's fields")]
pub struct PolicyPeer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelSelector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<IpBlock>,
}

/// `IPBlock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct IpBlock {
    /// The block.
    pub cidr: Arc<str>,
    /// Blocks within it that are left out.
    pub except: Vec<Arc<str>>,
}

/// `NetworkPolicyPort`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyPort {
    /// The protocol; TCP if it is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Arc<str>>,
    /// The port, or the first one; all of the protocol if it is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<PortReference>,
    /// The last port of a range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_port: Option<i32>,
}

/// `IntOrString` as a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PortReference {
    /// A number, as the API has it: it may be none of a port.
    Number(i32),
    /// The name that a container of the destination pod gives to a port.
    Name(Arc<str>),
}

/// `metav1.LabelSelector`; empty is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must be there with this value.
    pub match_labels: Labels,
    /// What else must hold.
    pub match_expressions: Vec<LabelRequirement>,
}

/// `metav1.LabelSelectorRequirement`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelRequirement {
    /// The label.
    pub key: Arc<str>,
    /// In, NotIn, Exists or DoesNotExist.
    pub operator: Arc<str>,
    /// For In and NotIn.
    pub values: Vec<Arc<str>>,
}

/// Who the proxies of a Gateway are: the labels that its pods are made with, so that a policy judges them before there are any.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GatewayProxies {
    /// Key. The proxies are in its namespace.
    pub gateway: NamespacedName,
    /// The labels of its pods.
    #[serde(default)]
    pub labels: Labels,
    /// The ports of its pods that have a name.
    #[serde(default)]
    pub ports: Vec<NamedPort>,
}
