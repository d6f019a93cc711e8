//! What cannot be compiled, and why.

use std::fmt;
use std::sync::Arc;

use portway_config::{ListenerKey, RouteKey};
use serde::Serialize;

use crate::pattern::PatternError;

/// A resource, or a part of one, that the router leaves out. Everything else serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Refused {
    /// One rule of a route.
    Rule {
        /// The route.
        route: RouteKey,
        /// Index of the rule in the route's spec.
        rule: usize,
        /// Why.
        reason: RefusedReason,
    },
    /// That a route is attached to a certain listener.
    Attachment {
        /// The route.
        route: RouteKey,
        /// The listener.
        listener: ListenerKey,
        /// Why.
        reason: RefusedReason,
    },
    /// A listener.
    Listener {
        /// The listener.
        listener: ListenerKey,
        /// Why.
        reason: RefusedReason,
    },
}

impl Refused {
    /// The route that it is about, or a part of.
    pub fn route(&self) -> Option<&RouteKey> {
        match self {
            Self::Rule { route, .. } | Self::Attachment { route, .. } => Some(route),
            Self::Listener { .. } => None,
        }
    }

    /// Why it is left out.
    pub fn reason(&self) -> &RefusedReason {
        match self {
            Self::Rule { reason, .. } | Self::Attachment { reason, .. } | Self::Listener { reason, .. } => {
                reason
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { route, rule, reason } => write!(f, "{route}, rule {rule}: {reason}"),
            Self::Attachment { route, listener, reason } => {
                write!(f, "{route} at listener {listener}: {reason}")
            }
            Self::Listener { listener, reason } => write!(f, "listener {listener}: {reason}"),
        }
    }
}

impl std::error::Error for Refused {}

/// Why a resource is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum RefusedReason {
    /// An expression cannot be compiled.
    #[error("match {match_index}, {place}: {error}")]
    Pattern {
        /// Index of the match in the rule.
        match_index: usize,
        /// Where in the match.
        place: Place,
        /// What is wrong with it.
        error: PatternError,
    },
    /// The listener is not in the configuration.
    #[error("the listener is not served")]
    NoSuchListener,
    /// The listener's protocol cannot carry a route of this kind.
    #[error("the listener's protocol does not carry routes of this kind")]
    WrongProtocol,
    /// Another listener already has the port and the hostname.
    #[error("port and hostname belong to listener {0} already")]
    Conflict(ListenerKey),
}

/// Where in a match an expression stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Place {
    /// The path.
    Path,
    /// The gRPC service.
    GrpcService,
    /// The gRPC method.
    GrpcMethod,
    /// A header, by name.
    Header(Arc<str>),
    /// A query parameter, by name.
    QueryParam(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("path"),
            Self::GrpcService => f.write_str("gRPC service"),
            Self::GrpcMethod => f.write_str("gRPC method"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::QueryParam(name) => write!(f, "query parameter {name}"),
        }
    }
}
