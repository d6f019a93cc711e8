//! What is done to a request or a response on the way.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::route::BackendTarget;

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Filter {
    /// Change request headers.
    RequestHeaders(HeaderModifier),
    /// Change response headers.
    ResponseHeaders(HeaderModifier),
    /// Answer with a redirect.
    Redirect(Redirect),
    /// Change host or path.
    Rewrite(Rewrite),
    /// Send a copy elsewhere.
    Mirror(Mirror),
    /// Cross-origin resource sharing.
    Cors(Cors),
    /// Ask a server whether the request may pass.
    ExternalAuth(ExternalAuth),
}

/// Changes to headers: set, then add, then remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeaderModifier {
    /// Replace all values.
    #[serde(default)]
    pub set: Vec<Header>,
    /// Add to the values that there are.
    #[serde(default)]
    pub add: Vec<Header>,
    /// Remove.
    #[serde(default)]
    pub remove: Vec<Arc<str>>,
}

/// A header with its value. The name is in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Header {
    /// Name.
    pub name: Arc<str>,
    /// Value.
    pub value: Arc<str>,
}

/// A redirect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Redirect {
    /// Scheme; absent keeps the request's.
    pub scheme: Option<Arc<str>>,
    /// Host; absent keeps the request's.
    pub hostname: Option<Arc<str>>,
    /// Path; absent keeps the request's. The query always stays.
    pub path: Option<PathModifier>,
    /// Port; absent is the scheme's well-known one where a scheme is given, else the listener's.
    pub port: Option<u16>,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// A change of host or path on the way to the backend.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rewrite {
    /// New Host.
    pub hostname: Option<Arc<str>>,
    /// New path.
    pub path: Option<PathModifier>,
}

/// A change of the path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathModifier {
    /// The new path.
    ReplaceFullPath(Arc<str>),
    /// What stands in place of the prefix that matched.
    ReplacePrefixMatch(Arc<str>),
}

/// A copy of requests to elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mirror {
    /// Where. A target that is invalid gets no copies.
    pub target: BackendTarget,
    /// Numerator of the share.
    pub numerator: u32,
    /// Denominator of the share, at least 1.
    pub denominator: u32,
}

/// Cross-origin resource sharing (GEP-1767).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cors {
    /// Origins that may read the response; `*` alone, or with a wildcard in the host.
    #[serde(default)]
    pub allow_origins: Vec<Arc<str>>,
    /// Whether credentials may be sent.
    pub allow_credentials: bool,
    /// Methods, or `*`.
    #[serde(default)]
    pub allow_methods: Vec<Arc<str>>,
    /// Request headers, or `*`.
    #[serde(default)]
    pub allow_headers: Vec<Arc<str>>,
    /// Response headers that scripts may read, or `*`.
    #[serde(default)]
    pub expose_headers: Vec<Arc<str>>,
    /// How long a browser may keep the answer to a preflight request, in seconds.
    pub max_age: u32,
}

/// External authorization (GEP-1494). Whatever goes wrong denies the request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExternalAuth {
    /// The server. An invalid target denies every request.
    pub target: BackendTarget,
    /// How it is asked.
    pub protocol: ExternalAuthProtocol,
    /// Largest body that is sent along, in bytes; 0 sends none.
    pub max_body: u32,
}

/// How an authorization server is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExternalAuthProtocol {
    /// A plain HTTP request; 200 lets pass.
    Http {
        /// Prefix of the path of the request to the server.
        path: Arc<str>,
        /// Request headers that are sent, beside Host, Content-Length and Authorization; lower case.
        allowed_headers: Vec<Arc<str>>,
        /// Headers of the answer that are copied into the request to the backend; empty is all.
        allowed_response_headers: Vec<Arc<str>>,
    },
    /// Envoy's `envoy.service.auth.v3.Authorization/Check`.
    Grpc {
        /// Request headers that are sent; empty is all.
        allowed_headers: Vec<Arc<str>>,
    },
}
