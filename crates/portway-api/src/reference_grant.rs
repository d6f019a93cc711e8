//! ReferenceGrant: what may be referred to from another namespace.

use serde::{Deserialize, Serialize};

use crate::resource::{Resource, Spec};

/// A ReferenceGrant. It grants access to objects of its own namespace, and has no status.
pub type ReferenceGrant = Resource<ReferenceGrantSpec>;

/// Spec of a [`ReferenceGrant`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceGrantSpec {
    /// Who may refer.
    pub from: Vec<ReferenceGrantFrom>,
    /// To what.
    pub to: Vec<ReferenceGrantTo>,
}

impl Spec for ReferenceGrantSpec {
    const KIND: &'static str = "ReferenceGrant";
    const VERSIONS: &'static [&'static str] = &["v1", "v1beta1"];
    type Status = NoStatus;
}

/// The status of a kind that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoStatus {}

/// Who may refer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReferenceGrantFrom {
    /// API group; empty is core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
}

/// To what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReferenceGrantTo {
    /// API group; empty is core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Name; absent or empty is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
