//! Precedence between matches, as an order.

use std::cmp::{Ordering, Reverse};

use portway_config::request_match::{PathMatch, RequestMatch, ValueMatch};
use portway_config::{HostnamePattern, NamespacedName, Route, RouteKind};

/// Precedence of a match under a hostname of a listener: of all that match a request, the least wins.
///
/// The fields are the criteria in the order in which they count, as the Gateway API gives it at
/// `HTTPRouteSpec.hostnames`, `HTTPRouteRule.matches` and their likes in GRPCRoute. Where the API
/// leaves the order to the implementation, the field says what Portway does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MatchKey<'a> {
    /// The hostname that route and listener have in common: an exact one before a wildcard, the longer
    /// before the shorter.
    pub hostname: &'a HostnamePattern,
    /// The hostname that the route itself names, from which `hostname` comes
    /// (`GatewayRouteHostnameIntersectionPrecedence`).
    pub route_hostname: &'a HostnamePattern,
    /// The kind of condition on the path, and its length where that counts.
    pub path: PathRank,
    /// A condition on the method before none.
    pub method: Reverse<bool>,
    /// Number of conditions on headers, the most first.
    pub headers: Reverse<usize>,
    /// Number of conditions on query parameters, the most first.
    pub query_params: Reverse<usize>,
    /// The oldest route first.
    pub created: Created,
    /// The route's namespace and name, in alphabetical order.
    pub route: RouteName<'a>,
    /// Between an HTTPRoute and a GRPCRoute of the same age and name, which the API does not speak of.
    pub kind: RouteKind,
    /// The first rule of a route.
    pub rule: usize,
    /// The first match of a rule. It makes no difference for where a request goes, but for which
    /// prefix is replaced.
    pub match_index: usize,
}

/// Precedence of a condition on the path.
///
/// The API leaves the place of expressions open. They stand before prefixes, because a prefix of `/`,
/// which nearly every host has, would otherwise leave them nothing. One expression does not go before
/// another for being longer, since that says nothing of how much it matches: the further criteria
/// decide, and in the end the order in the route.
///
/// The API allows an HTTPRoute and a GRPCRoute on one hostname, and leaves their order open. A gRPC
/// match that names a service or a method stands before expressions and prefixes, so that a web
/// application at `/` does not take the calls; one that names neither stands last, so that it does not
/// take the web application's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathRank {
    /// The whole path.
    Exact,
    /// A gRPC service, a method, or both.
    Grpc {
        /// The service.
        service: ValueRank,
        /// The method.
        method: ValueRank,
    },
    /// An expression.
    Regex,
    /// The first segments; the greatest number of bytes first, a trailing slash not counted.
    Prefix(Reverse<usize>),
    /// Any gRPC service and method.
    AnyGrpc,
}

/// Precedence of a condition on a gRPC service or method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueRank {
    /// Equal; the greatest number of bytes first.
    Exact(Reverse<usize>),
    /// An expression. Its length says nothing of how much it matches, so it does not count.
    Regex,
    /// No condition.
    Absent,
}

/// Precedence of a route by its age: the oldest first, one of unknown age (a manifest's) last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Created {
    /// Created at this time, in seconds since 1970.
    At(i64),
    /// Not known.
    Unknown,
}

/// A name in the order of the API: alphabetical by "{namespace}/{name}". That is not the order of
/// the pair: `a-b/c` comes before `a/b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteName<'a>(pub &'a NamespacedName);

impl<'a> MatchKey<'a> {
    /// The key of a match of an HTTPRoute's or GRPCRoute's rule.
    ///
    /// `hostname`: the hostname that it is matched under; `route_hostname`: the one that the route
    /// names itself; `rule` and `match_index`: indices in the route's spec.
    pub fn new(
        hostname: &'a HostnamePattern,
        route_hostname: &'a HostnamePattern,
        route: &'a Route,
        (rule, match_index): (usize, usize),
        request_match: &RequestMatch,
    ) -> Self {
        Self {
            path: PathRank::of(&request_match.path),
            method: Reverse(request_match.method.is_some()),
            headers: Reverse(request_match.headers.len()),
            query_params: Reverse(request_match.query_params.len()),
            match_index,
            ..Self::of_stream(hostname, route_hostname, route, rule)
        }
    }

    /// The key of a rule of a TLSRoute, TCPRoute or UDPRoute, which has a hostname and no more.
    pub fn of_stream(
        hostname: &'a HostnamePattern,
        route_hostname: &'a HostnamePattern,
        route: &'a Route,
        rule: usize,
    ) -> Self {
        Self {
            hostname,
            route_hostname,
            path: PathRank::Prefix(Reverse(0)),
            method: Reverse(false),
            headers: Reverse(0),
            query_params: Reverse(0),
            created: route.created.map_or(Created::Unknown, Created::At),
            route: RouteName(&route.key.name),
            kind: route.key.kind,
            rule,
            match_index: 0,
        }
    }
}

impl PathRank {
    /// The rank of a condition.
    pub fn of(path: &PathMatch) -> Self {
        match path {
            PathMatch::Exact(_) => Self::Exact,
            PathMatch::Regex(_) => Self::Regex,
            PathMatch::Prefix(prefix) => Self::Prefix(Reverse(prefix.trim_end_matches('/').len())),
            PathMatch::Grpc { service: None, method: None } => Self::AnyGrpc,
            PathMatch::Grpc { service, method } => Self::Grpc {
                service: ValueRank::of(service.as_ref()),
                method: ValueRank::of(method.as_ref()),
            },
        }
    }
}

impl ValueRank {
    /// The rank of a condition.
    pub fn of(value: Option<&ValueMatch>) -> Self {
        match value {
            Some(ValueMatch::Exact(text)) => Self::Exact(Reverse(text.len())),
            Some(ValueMatch::Regex(_)) => Self::Regex,
            None => Self::Absent,
        }
    }
}

impl Ord for RouteName<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        bytes(self.0).cmp(bytes(other.0))
    }
}

impl PartialOrd for RouteName<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn bytes(name: &NamespacedName) -> impl Iterator<Item = u8> {
    name.namespace.bytes().chain([b'/']).chain(name.name.bytes())
}

#[cfg(test)]
mod tests;
