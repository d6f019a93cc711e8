//! GatewayClass: which implementation serves the Gateways of this class.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize, Serialize};

use crate::reference::ParametersReference;
use crate::resource::{Resource, Spec};

/// A class of Gateways. Cluster-scoped.
pub type GatewayClass = Resource<GatewayClassSpec>;

/// Spec of a [`GatewayClass`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// The controller that is to serve this class, as a domain-prefixed path.
    pub controller_name: String,
    /// Parameters of the implementation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_ref: Option<ParametersReference>,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Spec for GatewayClassSpec {
    const KIND: &'static str = "GatewayClass";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];
    type Status = GatewayClassStatus;
}

/// Status of a [`GatewayClass`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassStatus {
    /// Accepted, SupportedVersion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The features that the implementation supports, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_features: Vec<SupportedFeature>,
}

/// One feature by its name in the conformance suite.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SupportedFeature {
    /// Name.
    pub name: String,
}
