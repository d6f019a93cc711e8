//! Conditions on a request.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestMatch {
    /// The path.
    pub path: PathMatch,
    /// The method, exactly.
    pub method: Option<Arc<str>>,
    /// Headers; names in lower case. A name stands here once (the API: only the first entry counts).
    #[serde(default)]
    pub headers: Vec<NamedMatch>,
    /// Query parameters; names as they are written. A name stands here once.
    #[serde(default)]
    pub query_params: Vec<NamedMatch>,
}

/// A condition on the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathMatch {
    /// Equal.
    Exact(Arc<str>),
    /// Equal in its first segments; without a trailing slash, so that all paths is the empty string.
    Prefix(Arc<str>),
    /// The whole path fits a regular expression of linear time.
    Regex(Arc<str>),
    /// A gRPC method: the path is `/service/method`.
    Grpc {
        /// Service with its package; absent is all.
        service: Option<ValueMatch>,
        /// Method; absent is all.
        method: Option<ValueMatch>,
    },
}

/// A condition on the value of a header or query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NamedMatch {
    /// Name.
    pub name: Arc<str>,
    /// Value.
    pub value: ValueMatch,
}

/// A condition on a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ValueMatch {
    /// Equal.
    Exact(Arc<str>),
    /// The whole value fits a regular expression of linear time.
    Regex(Arc<str>),
}
