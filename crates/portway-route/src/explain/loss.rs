//! Why a match does not serve a request.

use std::fmt;
use std::sync::Arc;

use portway_config::request_match::{PathMatch, ValueMatch};
use portway_config::{HostnamePattern, ListenerKey};
use serde::Serialize;

use crate::candidate::Candidate;
use crate::criterion::Criterion;
use crate::refused::{Refused, RefusedReason};
use crate::wording::{Listed, PathWords, ValueWords};

/// A match that does not serve the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loser {
    /// Its name.
    pub candidate: Candidate,
    /// Why not.
    pub loss: Loss,
}

/// Why a match does not serve a request: the first question that it fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Loss {
    /// Its route is not attached to the listener that takes the request.
    AttachedElsewhere {
        /// Where its route is attached.
        listeners: Vec<ListenerKey>,
    },
    /// The router could not compile its rule.
    Refused {
        /// Why.
        reason: RefusedReason,
    },
    /// The request is answered before routes are looked at, with status 404 or 421.
    AnsweredBefore,
    /// No hostname of its route matches.
    Hostname {
        /// The hostnames that its route serves at the listener.
        wanted: Vec<HostnamePattern>,
        /// The host of the request, or the server name of the connection.
        had: String,
    },
    /// The path does not match.
    Path {
        /// The condition.
        wanted: PathMatch,
        /// The path of the request.
        had: String,
    },
    /// The method does not match.
    Method {
        /// The condition.
        wanted: Arc<str>,
        /// The method of the request.
        had: String,
    },
    /// A header does not match.
    Header {
        /// The header.
        name: Arc<str>,
        /// The condition.
        wanted: ValueMatch,
        /// What the request has, several lines joined.
        had: Option<String>,
    },
    /// A query parameter does not match.
    QueryParam {
        /// The parameter.
        name: Arc<str>,
        /// The condition.
        wanted: ValueMatch,
        /// What the request has, decoded.
        had: Option<String>,
    },
    /// It matches, and the winner has precedence.
    Precedence {
        /// The first criterion in which they differ.
        criterion: Criterion,
        /// The winner.
        winner: Candidate,
    },
}

impl Loser {
    /// A rule that the router could not compile.
    pub(super) fn refused(refused: &Refused) -> Option<Self> {
        let Refused::Rule { route, rule, reason } = refused else { return None };
        let candidate = Candidate { route: route.clone(), rule: *rule, rule_name: None, match_index: None };
        Some(Self { candidate, loss: Loss::Refused { reason: reason.clone() } })
    }
}

impl fmt::Display for Loser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not serve it: {}.", self.candidate, self.loss)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttachedElsewhere { listeners } if listeners.is_empty() => {
                f.write_str("its route is attached to no listener")
            }
            Self::AttachedElsewhere { listeners } => {
                write!(f, "its route is attached to {}, which does not take the request", Listed(listeners))
            }
            Self::Refused { reason } => write!(f, "it was refused, {reason}"),
            Self::AnsweredBefore => f.write_str("the request is refused before routes are looked at"),
            Self::Hostname { wanted, had } if had.is_empty() => {
                write!(f, "it wants host {}, and the request names none", Listed(wanted))
            }
            Self::Hostname { wanted, had } => write!(f, "host {had} does not match {}", Listed(wanted)),
            Self::Path { wanted, had } => write!(f, "path {had} does not match {}", PathWords(wanted)),
            Self::Method { wanted, had } => write!(f, "method {had} is not {wanted}"),
            Self::Header { name, wanted, had } => unmet(f, "header", name, wanted, had.as_deref()),
            Self::QueryParam { name, wanted, had } => {
                unmet(f, "query parameter", name, wanted, had.as_deref())
            }
            Self::Precedence { criterion, winner } => write!(f, "{winner} has precedence, since {criterion}"),
        }
    }
}

fn unmet(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    name: &str,
    wanted: &ValueMatch,
    had: Option<&str>,
) -> fmt::Result {
    let wanted = ValueWords(wanted);
    match had {
        Some(had) => write!(f, "{what} {name} is `{had}` and not {wanted}"),
        None => write!(f, "{what} {name} is absent and not {wanted}"),
    }
}
