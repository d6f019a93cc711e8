//! On which criterion of precedence one match loses to another.

use std::fmt;
use std::sync::Arc;

use portway_config::request_match::{PathMatch, RequestMatch};
use portway_config::{HostnamePattern, NamespacedName, RouteKind};
use serde::Serialize;

use crate::match_key::{Created, MatchKey};
use crate::wording::{Age, PathWords};

/// The first criterion of precedence ([`MatchKey`]) in which two matches differ, seen from the loser's
/// side, with what both have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Criterion {
    /// The hostname in common with the listener is less specific.
    Hostname {
        /// The loser's.
        own: HostnamePattern,
        /// The winner's.
        winner: HostnamePattern,
    },
    /// The hostname in common with the listener is equal; the one that the route names is less specific.
    RouteHostname {
        /// The loser's.
        own: HostnamePattern,
        /// The winner's.
        winner: HostnamePattern,
    },
    /// The condition on the path is of a lesser kind or shorter.
    Path {
        /// The loser's.
        own: PathMatch,
        /// The winner's.
        winner: PathMatch,
    },
    /// It has no condition on the method.
    Method {
        /// The winner's.
        winner: Arc<str>,
    },
    /// It has fewer conditions on headers.
    Headers {
        /// The loser's number of them.
        own: usize,
        /// The winner's.
        winner: usize,
    },
    /// It has fewer conditions on query parameters.
    QueryParams {
        /// The loser's number of them.
        own: usize,
        /// The winner's.
        winner: usize,
    },
    /// The route is younger.
    Age {
        /// The loser's creation, in seconds since 1970.
        own: Option<i64>,
        /// The winner's.
        winner: Option<i64>,
    },
    /// The route's namespace and name come later in the alphabet.
    Name {
        /// The loser's.
        own: NamespacedName,
        /// The winner's.
        winner: NamespacedName,
    },
    /// The route is of the other kind, and equal in all before.
    Kind {
        /// The loser's.
        own: RouteKind,
        /// The winner's.
        winner: RouteKind,
    },
    /// The rule stands later in the same route.
    RuleOrder {
        /// The loser's index.
        own: usize,
        /// The winner's.
        winner: usize,
    },
    /// The match stands later in the same rule.
    MatchOrder {
        /// The loser's index.
        own: usize,
        /// The winner's.
        winner: usize,
    },
}

/// A match with its key. Rules of TLSRoutes, TCPRoutes and UDPRoutes have no match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranked<'a> {
    pub(crate) key: MatchKey<'a>,
    pub(crate) request_match: Option<&'a RequestMatch>,
}

impl Criterion {
    /// The first criterion in which `loser` and `winner` differ; none where they are one match.
    pub(crate) fn between(loser: &Ranked<'_>, winner: &Ranked<'_>) -> Option<Self> {
        let (own, best) = (&loser.key, &winner.key);
        let differences = [
            (own.hostname != best.hostname)
                .then(|| Self::Hostname { own: own.hostname.clone(), winner: best.hostname.clone() }),
            (own.route_hostname != best.route_hostname).then(|| Self::RouteHostname {
                own: own.route_hostname.clone(),
                winner: best.route_hostname.clone(),
            }),
            (own.path != best.path).then(|| paths(loser, winner)).flatten(),
            (own.method != best.method).then(|| method(winner)).flatten(),
            (own.headers != best.headers)
                .then_some(Self::Headers { own: own.headers.0, winner: best.headers.0 }),
            (own.query_params != best.query_params)
                .then_some(Self::QueryParams { own: own.query_params.0, winner: best.query_params.0 }),
            (own.created != best.created)
                .then(|| Self::Age { own: own.created.seconds(), winner: best.created.seconds() }),
            (own.route != best.route)
                .then(|| Self::Name { own: own.route.0.clone(), winner: best.route.0.clone() }),
            (own.kind != best.kind).then_some(Self::Kind { own: own.kind, winner: best.kind }),
            (own.rule != best.rule).then_some(Self::RuleOrder { own: own.rule, winner: best.rule }),
            (own.match_index != best.match_index)
                .then_some(Self::MatchOrder { own: own.match_index, winner: best.match_index }),
        ];
        differences.into_iter().flatten().next()
    }
}

fn paths(loser: &Ranked<'_>, winner: &Ranked<'_>) -> Option<Criterion> {
    let (own, winner) = (&loser.request_match?.path, &winner.request_match?.path);
    Some(Criterion::Path { own: own.clone(), winner: winner.clone() })
}

fn method(winner: &Ranked<'_>) -> Option<Criterion> {
    Some(Criterion::Method { winner: winner.request_match?.method.clone()? })
}

impl Created {
    fn seconds(self) -> Option<i64> {
        match self {
            Self::At(seconds) => Some(seconds),
            Self::Unknown => None,
        }
    }
}

/// A clause on the loser, as in "path prefix /a is shorter than path prefix /a/b".
impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hostname { own, winner } => write!(f, "hostname {own} is less specific than {winner}"),
            Self::RouteHostname { own, winner } => write!(
                f,
                "the route's own hostname {own} is less specific than {winner}, and at the listener both are the same"
            ),
            Self::Path { own: own @ PathMatch::Prefix(_), winner: winner @ PathMatch::Prefix(_) } => {
                write!(f, "{} is shorter than {}", PathWords(own), PathWords(winner))
            }
            Self::Path { own, winner } => write!(f, "{} comes after {}", PathWords(own), PathWords(winner)),
            Self::Method { winner } => {
                write!(f, "it has no condition on the method, and the winner has {winner}")
            }
            Self::Headers { own, winner } => fewer(f, "headers", *own, *winner),
            Self::QueryParams { own, winner } => fewer(f, "query parameters", *own, *winner),
            Self::Age { own, winner } => write!(f, "its route is {}", Age { own: *own, other: *winner }),
            Self::Name { own, winner } => write!(f, "{own} comes after {winner} in the alphabet"),
            Self::Kind { own, winner } => write!(f, "{} comes after {}", own.as_str(), winner.as_str()),
            Self::RuleOrder { own, winner } => write!(f, "rule {own} stands after rule {winner}"),
            Self::MatchOrder { own, winner } => write!(f, "match {own} stands after match {winner}"),
        }
    }
}

fn fewer(f: &mut fmt::Formatter<'_>, what: &str, own: usize, winner: usize) -> fmt::Result {
    write!(f, "it has {own} conditions on {what}, and the winner has {winner}")
}

#[cfg(test)]
mod tests;
