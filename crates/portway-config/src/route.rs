//! Routes and their rules.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::hostname::HostnamePattern;
use crate::key::{BackendKey, ListenerKey, RouteKey};
use crate::request_match::RequestMatch;

/// A route that is attached to at least one listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Key.
    pub key: RouteKey,
    /// Creation in seconds since 1970; the older route has precedence. Absent (a manifest) is youngest.
    pub created: Option<i64>,
    /// The hostnames that the route itself names, as it names them; empty is all. They decide between
    /// routes whose hostnames meet a listener's in the same one (`GatewayRouteHostnameIntersectionPrecedence`).
    #[serde(default)]
    pub hostnames: Vec<HostnamePattern>,
    /// The listeners it is attached to.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// The rules, in the order of the route.
    pub rules: Rules,
}

/// That a route is attached to a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attachment {
    /// The listener.
    pub listener: ListenerKey,
    /// Hostnames that both the route and the listener match; never empty.
    pub hostnames: Vec<HostnamePattern>,
}

/// The rules of a route.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rules {
    /// Of an HTTPRoute or GRPCRoute.
    Http(Vec<HttpRule>),
    /// Of a TLSRoute, TCPRoute or UDPRoute.
    L4(Vec<L4Rule>),
}

/// A rule of an HTTPRoute or GRPCRoute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HttpRule {
    /// Index in the route's spec. Rules that are dropped as invalid leave a gap.
    pub index: usize,
    /// Name, where one is given.
    pub name: Option<Arc<str>>,
    /// Alternatives in the order of the rule; never empty.
    pub matches: Vec<RequestMatch>,
    /// Filters, in the order of the rule.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// Where requests go. Not looked at when a filter answers by itself (a redirect).
    #[serde(default)]
    pub backends: Vec<WeightedBackend>,
    /// Set when every request of the rule must be refused.
    pub fault: Option<Fault>,
    /// For the whole request, retries included; absent is the proxy's default, zero is none.
    pub request_timeout: Option<Duration>,
    /// For each attempt; absent or zero is none.
    pub backend_timeout: Option<Duration>,
    /// Retries; absent is none but the always safe ones.
    pub retry: Option<Retry>,
    /// Session persistence.
    pub session_persistence: Option<SessionPersistence>,
}

/// A backend with its share of the requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WeightedBackend {
    /// Index in the rule's spec.
    pub index: usize,
    /// Share, relative to the sum of the weights.
    pub weight: u32,
    /// Where its share goes.
    pub target: BackendTarget,
    /// Filters for its share.
    #[serde(default)]
    pub filters: Vec<Filter>,
}

/// Where a share of the requests goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BackendTarget {
    /// A backend.
    Backend(BackendKey),
    /// Nowhere: its share is answered with status 500 (connections are closed), as the API asks for.
    Invalid(Fault),
}

/// Why a rule or a backend cannot serve. Its requests are refused with a status of 500.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fault {
    /// Reason code for logs and metrics.
    pub reason: FaultReason,
    /// The object or field at fault, in words.
    pub message: Arc<str>,
}

/// Why a rule or a backend cannot serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultReason {
    /// The backend does not exist, or has not the port.
    BackendNotFound,
    /// A reference crosses namespaces without a grant.
    RefNotPermitted,
    /// The backend is of a kind that cannot be served.
    InvalidKind,
    /// The backend's application protocol cannot be served.
    UnsupportedProtocol,
    /// A filter is invalid or refers to something that does not exist.
    InvalidFilter,
    /// The TLS settings for the backend are invalid.
    InvalidBackendTls,
}

impl FaultReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::BackendNotFound,
        Self::RefNotPermitted,
        Self::InvalidKind,
        Self::UnsupportedProtocol,
        Self::InvalidFilter,
        Self::InvalidBackendTls,
    ];

    /// The code, as logs and metrics write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackendNotFound => "backend_not_found",
            Self::RefNotPermitted => "ref_not_permitted",
            Self::InvalidKind => "invalid_kind",
            Self::UnsupportedProtocol => "unsupported_protocol",
            Self::InvalidFilter => "invalid_filter",
            Self::InvalidBackendTls => "invalid_backend_tls",
        }
    }
}

/// Retries (GEP-1731).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retry {
    /// Status codes that are retried. Connection errors always are.
    #[serde(default)]
    pub codes: Vec<u16>,
    /// Retries at most, the first attempt not counted.
    pub attempts: u32,
    /// Least wait before the first retry; it doubles, with jitter.
    pub backoff: Option<Duration>,
}

/// Session persistence (GEP-1619).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionPersistence {
    /// What carries the session.
    pub carrier: SessionCarrier,
    /// The session ends after this time; absent is never.
    pub absolute_timeout: Option<Duration>,
}

/// What carries a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionCarrier {
    /// A cookie.
    Cookie {
        /// Name.
        name: Arc<str>,
        /// Path attribute.
        path: Arc<str>,
        /// Whether it outlives the browser's session (then `absolute_timeout` is set).
        permanent: bool,
    },
    /// A header, lower case.
    Header(Arc<str>),
}

/// A rule of a TLSRoute, TCPRoute or UDPRoute.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct L4Rule {
    /// Index in the route's spec.
    pub index: usize,
    /// Name, where one is given.
    pub name: Option<Arc<str>>,
    /// Where connections go.
    #[serde(default)]
    pub backends: Vec<WeightedBackend>,
}
