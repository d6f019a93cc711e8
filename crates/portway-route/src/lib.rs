//! The matcher: compile the routes of a Gateway, match a request, explain a match.
//!
//! No I/O, no async, no clock. What serves the traffic is what `portway explain` and `portway check`
//! ask, so they cannot disagree.
//!
//! # How a request finds its rule
//!
//! 1. **Listener.** The listener of the port whose hostname is the most specific that matches
//!    ([`Router::http_listener`], [`Router::tls_target`], [`Router::https_listener`]). No other
//!    listener's routes are looked at: the API calls it listener isolation.
//! 2. **Hostname.** Among the routes of the listener, those with the most specific matching hostname
//!    come first. Where none of their rules matches, the next less specific hostname is tried.
//! 3. **Match.** Under a hostname, the rule whose match has the least [`MatchKey`]. That type is the
//!    order of precedence; the tables only find its least element without looking at all of them.
//!
//! Matching allocates nothing, apart from what the expression engine caches when a thread first uses
//! an expression, and a buffer where an expression is held against a header that came in several
//! lines or a long percent-encoded query parameter.

mod candidate;
mod compile;
mod compile_match;
mod conditions;
mod criterion;
mod explain;
mod grpc;
mod header;
mod host_table;
mod match_key;
mod name_map;
mod path;
mod path_table;
mod pattern;
mod place;
mod port;
mod prefix_index;
mod query;
mod refused;
mod request;
mod route_table;
mod router;
mod shadow;
mod streams;
mod wording;

#[cfg(test)]
extern crate self as portway_route;

#[cfg(test)]
#[path = "../tests/fixture/mod.rs"]
mod fixture;

pub use candidate::Candidate;
pub use criterion::Criterion;
pub use explain::{Connection, Explanation, ListenerLoss, Loser, Loss, OtherListener, Outcome, Winner};
pub use match_key::{Created, MatchKey, PathRank, RouteName, ValueRank};
pub use pattern::{Pattern, PatternError};
pub use port::{HostRefusal, TlsTarget};
pub use refused::{Place, Refused, RefusedReason};
pub use request::Request;
pub use router::{L4RuleEntry, L4RuleId, ListenerId, RouteMatch, Router, RuleEntry, RuleId};
pub use shadow::{Extent, Isolated, IsolatedPlace, Shadowed, ShadowedMatch, Unserved};
