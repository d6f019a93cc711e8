//! Rules that can never serve, because another one's match takes all that theirs would.
//!
//! Matches are compared where they meet: under one hostname of one listener. There precedence does not
//! depend on the request, so a match that is wider than another one and comes before it leaves that
//! one nothing. What is said here is always true. It is not complete: that several matches together
//! leave a rule nothing, or that one expression contains another, is not found.

mod cover;
mod entry;
mod findings;
mod rivals;

use std::fmt;

use portway_config::{HostnamePattern, ListenerKey};
use serde::Serialize;

pub(crate) use self::findings::ByRule;
use crate::candidate::Candidate;
use crate::criterion::Criterion;
use crate::wording::Listed;

/// A rule that loses requests to another rule that it could never win.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shadowed {
    /// The rule that loses them.
    pub loser: Candidate,
    /// The rule that takes them.
    pub winner: Candidate,
    /// The criterion of precedence on which the first of `matches` loses.
    pub criterion: Criterion,
    /// Whether the loser serves anything at all. Where several winners share what it loses, each of
    /// them is told with the same extent.
    pub extent: Extent,
    /// What it loses to this winner.
    pub matches: Vec<ShadowedMatch>,
}

/// How much of a rule is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Extent {
    /// The rule never serves a request.
    Whole,
    /// The rule serves under other hostnames, at other listeners or by other matches.
    Partly,
}

/// A match that never serves under a hostname of a listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ShadowedMatch {
    /// The listener.
    pub listener: ListenerKey,
    /// The hostname that its route and the listener have in common.
    pub hostname: HostnamePattern,
    /// Index of the match in the loser; none for a rule of a TLSRoute, TCPRoute or UDPRoute.
    pub match_index: Option<usize>,
    /// Index of the match of the winner that takes its requests.
    pub winner_match: Option<usize>,
}

/// A rule that never serves a request because other listeners own all its hostnames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Isolated {
    /// The rule.
    pub rule: Candidate,
    /// Where it is attached, and which listener takes those requests instead.
    pub places: Vec<IsolatedPlace>,
}

/// A hostname of a route at a listener that never sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct IsolatedPlace {
    /// The listener that the route is attached to.
    pub listener: ListenerKey,
    /// The hostname that they have in common.
    pub hostname: HostnamePattern,
    /// The listener of the port that takes requests for it.
    pub owner: ListenerKey,
}

/// All rules that do not serve what they seem to, in the order of their routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unserved {
    /// Rules that lose to another one what they could never win.
    pub shadowed: Vec<Shadowed>,
    /// Rules that never serve because, at each listener that they are attached to, another listener of the port
    /// owns their hostnames.
    pub isolated: Vec<Isolated>,
}

impl fmt::Display for Shadowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loser, winner, criterion, extent, matches } = self;
        match extent {
            Extent::Whole => write!(f, "{loser} never serves a request")?,
            Extent::Partly => {
                let places: Vec<_> = matches.iter().map(ShadowedMatch::to_string).collect();
                write!(f, "{loser} never serves {}", Listed(&places))?;
            }
        }
        write!(f, ": {winner} takes them, since {criterion}.")
    }
}

/// As in "match 0 under a.example.com at listener ns/gw/http".
impl fmt::Display for ShadowedMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.match_index {
            write!(f, "match {index} ")?;
        }
        write!(f, "under hostname {} at listener {}", self.hostname, self.listener)
    }
}

impl fmt::Display for Isolated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} never serves a request: requests for {}.", self.rule, Listed(&self.places))
    }
}

/// As in "a.example.com come to listener ns/gw/one and not to ns/gw/any".
impl fmt::Display for IsolatedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} come to listener {} and not to {}", self.hostname, self.owner, self.listener)
    }
}

#[cfg(test)]
mod tests;
