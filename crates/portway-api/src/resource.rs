//! What all objects of the Gateway API have in common: identity, metadata, spec and status.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The API group of all stable objects of the Gateway API.
pub const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// The API group of Portway's own kinds.
pub const PORTWAY_GROUP: &str = "portway.dev";

/// The namespace of a namespaced object that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Namespace and name of a namespaced object. A structured key: never joined into one string, so
/// that `a-b/c` and `a/b-c` cannot meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// The key of `name` in `namespace`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key that stands in `metadata`; an absent namespace is `default`.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self {
            namespace: metadata.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The spec of one kind of object: it says what the kind is called and which status belongs to it.
pub trait Spec: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned {
    /// API group.
    const GROUP: &'static str = GATEWAY_GROUP;
    /// Kind, in the API's spelling.
    const KIND: &'static str;
    /// The versions that the CRDs of v1.7.0 serve, the preferred one first. All share one schema.
    const VERSIONS: &'static [&'static str] = &["v1"];
    /// The status subresource.
    type Status: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned;
}

/// An object of the Gateway API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "S: Spec", rename_all = "camelCase")]
pub struct Resource<S: Spec> {
    /// `group/version`, as it was written; empty in an item of a typed list.
    #[serde(default)]
    pub api_version: String,
    /// The kind, as it was written; empty in an item of a typed list.
    #[serde(default)]
    pub kind: String,
    /// Name, namespace, labels, generation, age.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What the user wants.
    pub spec: S,
    /// What controllers last said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<S::Status>,
}

impl<S: Spec> Resource<S> {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(&self.metadata)
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The namespace; `default` where none is given.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// `metadata.generation`, for `observedGeneration`; 0 in a manifest that never saw an API server.
    pub fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }
}
