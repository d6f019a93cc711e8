//! Gateway: a set of listeners on a set of addresses.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};

use crate::listener::{FromNamespaces, Listener, ListenerStatus};
use crate::reference::{LocalObjectReference, ObjectReference, SecretObjectReference};
use crate::resource::{Resource, Spec};
use crate::route::DefaultScope;

/// A Gateway.
pub type Gateway = Resource<GatewaySpec>;

/// Spec of a [`Gateway`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Name of the GatewayClass.
    pub gateway_class_name: String,
    /// The Gateway's own listeners; ListenerSets may add others.
    pub listeners: Vec<Listener>,
    /// Addresses asked for; empty lets the implementation choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewaySpecAddress>,
    /// Settings for what is provisioned for this Gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<GatewayInfrastructure>,
    /// Which ListenerSets may attach; absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_listeners: Option<AllowedListeners>,
    /// TLS settings for the whole Gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<GatewayTlsConfig>,
    /// Whether this is a default Gateway, and for whom (GEP-3793, experimental).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_scope: Option<DefaultScope>,
}

impl Spec for GatewaySpec {
    const KIND: &'static str = "Gateway";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];
    type Status = GatewayStatus;
}

/// Which ListenerSets may attach.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AllowedListeners {
    /// From which namespaces; absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<FromNamespaces>,
}

/// TLS settings of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GatewayTlsConfig {
    /// Towards backends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<GatewayBackendTls>,
    /// Towards clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<FrontendTlsConfig>,
}

/// TLS settings towards backends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayBackendTls {
    /// The certificate that the Gateway shows to backends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_ref: Option<SecretObjectReference>,
}

/// Validation of client certificates (GEP-91).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendTlsConfig {
    /// For ports that `per_port` does not name.
    pub default: TlsConfig,
    /// For single ports; replaces `default` there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_port: Vec<TlsPortConfig>,
}

/// Client validation of one port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TlsPortConfig {
    /// The port.
    pub port: i32,
    /// Its settings.
    pub tls: TlsConfig,
}

/// TLS settings towards clients.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TlsConfig {
    /// Validation of client certificates; absent asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<FrontendTlsValidation>,
}

/// How client certificates are validated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendTlsValidation {
    /// ConfigMaps or ClusterTrustBundles with the trust anchors.
    pub ca_certificate_refs: Vec<ObjectReference>,
    /// What happens to a client whose certificate is missing or invalid.
    #[serde(default)]
    pub mode: FrontendValidationMode,
}

/// What happens to a client without a valid certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FrontendValidationMode {
    /// It is refused.
    #[default]
    AllowValidOnly,
    /// It is let through, and the backend must look.
    AllowInsecureFallback,
}

/// An address asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewaySpecAddress {
    /// Type of the address; absent is `IPAddress`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The value; absent or empty lets the implementation choose one of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// From where it must be reachable (GEP-5093).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routability: Option<String>,
}

/// Type of an address that names none.
pub const IP_ADDRESS: &str = "IPAddress";
/// Type of an address that is a DNS name.
pub const HOSTNAME_ADDRESS: &str = "Hostname";
/// Routability of an address that is reachable in the cluster only (GEP-5093).
pub const ROUTABILITY_CLUSTER: &str = "Cluster";

impl GatewaySpecAddress {
    /// Type with its default.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or(IP_ADDRESS)
    }

    /// The value, where one is given that is not empty.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref().filter(|value| !value.is_empty())
    }
}

/// An address that the Gateway has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewayStatusAddress {
    /// Type of the address.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The value.
    pub value: String,
    /// From where it is reachable (GEP-5093).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routability: Option<String>,
}

/// Settings for what is provisioned for a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayInfrastructure {
    /// Labels for everything that is provisioned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations for everything that is provisioned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Parameters of the implementation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<LocalObjectReference>,
}

/// Status of a [`Gateway`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Addresses in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<GatewayStatusAddress>,
    /// Accepted, Programmed, ResolvedRefs, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// One for each listener of the Gateway's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerStatus>,
    /// Number of ListenerSets that are attached with at least one valid listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_listener_sets: Option<i32>,
}
