//! BackendTLSPolicy: how a Gateway speaks TLS to a backend (GEP-1897).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};

use crate::reference::{LocalObjectReference, ParentReference};
use crate::resource::{Resource, Spec};

/// A BackendTLSPolicy.
pub type BackendTlsPolicy = Resource<BackendTlsPolicySpec>;

/// Spec of a [`BackendTlsPolicy`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsPolicySpec {
    /// The Services, or single ports of them, that this is for.
    pub target_refs: Vec<PolicyTargetReference>,
    /// What the backend's certificate must fulfil.
    pub validation: BackendTlsPolicyValidation,
    /// Settings of the implementation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

impl Spec for BackendTlsPolicySpec {
    const KIND: &'static str = "BackendTLSPolicy";
    const VERSIONS: &'static [&'static str] = &["v1", "v1alpha3"];
    type Status = PolicyStatus;
}

/// What a policy is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyTargetReference {
    /// API group; empty is core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// For a Service, the name of a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// What a backend's certificate must fulfil.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendTlsPolicyValidation {
    /// ConfigMaps (or ClusterTrustBundles) with the trust anchors; excludes the well-known ones.
    #[serde(rename = "caCertificateRefs", default, skip_serializing_if = "Vec::is_empty")]
    pub ca_certificate_refs: Vec<LocalObjectReference>,
    /// A well-known set of trust anchors.
    #[serde(rename = "wellKnownCACertificates", default, skip_serializing_if = "Option::is_none")]
    pub well_known_ca_certificates: Option<WellKnownCaCertificates>,
    /// Server name that is sent (SNI), and that the certificate must have unless `subject_alt_names` is given.
    pub hostname: String,
    /// Names of which the certificate must have one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subject_alt_names: Vec<SubjectAltName>,
}

/// Well-known sets of trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WellKnownCaCertificates {
    /// Those of the system that the proxy runs on.
    System,
    /// One of an implementation.
    #[serde(untagged)]
    Other(String),
}

/// A name in a certificate: a union, discriminated by `type`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubjectAltName {
    /// Which of the fields below is meant.
    #[serde(rename = "type")]
    pub kind: SubjectAltNameType,
    /// A DNS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// A URI, such as a SPIFFE identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// The types of [`SubjectAltName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubjectAltNameType {
    /// `hostname`.
    Hostname,
    /// `uri`.
    #[serde(rename = "URI")]
    Uri,
}

/// Status of a policy (GEP-713).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// One for each ancestor (here: Gateway) and controller.
    #[serde(default)]
    pub ancestors: Vec<PolicyAncestorStatus>,
}

/// What one controller says of a policy towards one ancestor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyAncestorStatus {
    /// The ancestor.
    pub ancestor_ref: ParentReference,
    /// The controller that wrote this.
    pub controller_name: String,
    /// Accepted, ResolvedRefs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}
