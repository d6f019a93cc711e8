//! AddressPool: addresses that Portway may give to Gateways. A kind of Portway's own, for clusters without a cloud.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use serde::{Deserialize, Serialize};

use crate::resource::{PORTWAY_GROUP, Resource, Spec};

/// Addresses that Portway may give to Gateways. Cluster-scoped.
pub type AddressPool = Resource<AddressPoolSpec>;

/// Spec of an [`AddressPool`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressPoolSpec {
    /// The addresses: CIDRs such as `192.0.2.0/24`, ranges such as `192.0.2.10-192.0.2.20`, or single ones; IPv4 or IPv6.
    /// They must lead to the nodes of the cluster, and be in use nowhere else.
    pub addresses: Vec<String>,
    /// Labels of the Gateways that may have them; absent is each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_selector: Option<LabelSelector>,
    /// Whether Gateways get one that ask for none in particular; absent is yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_assign: Option<bool>,
}

impl Spec for AddressPoolSpec {
    const GROUP: &'static str = PORTWAY_GROUP;
    const KIND: &'static str = "AddressPool";
    const VERSIONS: &'static [&'static str] = &["v1alpha1"];
    type Status = AddressPoolStatus;
}

/// Status of an [`AddressPool`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressPoolStatus {
    /// Accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
