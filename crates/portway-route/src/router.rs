//! A Gateway's configuration, compiled for lookups.

use std::sync::Arc;

use portway_config::{HttpRule, L4Rule, Listener, ListenerKey, ListenerProtocol, Route, RouteKey, Rules};
use portway_shared_map::{SharedMap, SharedSlots};

use crate::path_table::CompiledMatch;
use crate::port::{HostRefusal, Ports, TlsTarget};
use crate::refused::Refused;
use crate::request::Request;
use crate::route_table::RouteTable;
use crate::streams::Streams;

/// Index of a listener in [`Router::listeners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u32);

/// Index of an HTTP rule in [`Router::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// Index of a rule of a TLSRoute, TCPRoute or UDPRoute in [`Router::l4_rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct L4RuleId(pub u32);

/// The rule that serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// The rule.
    pub rule: RuleId,
    /// Index in the rule's `matches`.
    pub match_index: u32,
    /// Length in bytes of the path prefix that matched (0 for all), when the match is one on a prefix.
    /// A trailing slash in the configuration is not counted.
    pub prefix_len: Option<u32>,
}

/// An HTTP rule with the route that it belongs to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RuleEntry {
    /// The route: an HTTPRoute or GRPCRoute.
    pub route: Arc<Route>,
    /// Position in the route's list of rules in the configuration.
    pub position: usize,
    /// Its matches, compiled.
    pub(crate) matches: Arc<[Arc<CompiledMatch>]>,
}

impl RuleEntry {
    /// Whether nothing has happened to the rule from one router to the next.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.route, &other.route) && self.position == other.position
    }

    /// The rule.
    pub fn rule(&self) -> &HttpRule {
        match &self.route.rules {
            Rules::Http(rules) => &rules[self.position],
            // Entries are made by `compile` alone, one for each HTTP rule of a route.
            Rules::L4(_) => unreachable!("an entry of an HTTP rule has a route with HTTP rules"),
        }
    }
}

/// A rule of a TLSRoute, TCPRoute or UDPRoute with the route that it belongs to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct L4RuleEntry {
    /// The route.
    pub route: Arc<Route>,
    /// Position in the route's list of rules in the configuration.
    pub position: usize,
}

impl L4RuleEntry {
    /// The rule.
    pub fn rule(&self) -> &L4Rule {
        match &self.route.rules {
            Rules::L4(rules) => &rules[self.position],
            // Entries are made by `compile` alone, one for each such rule of a route.
            Rules::Http(_) => unreachable!("an entry of an L4 rule has a route with L4 rules"),
        }
    }
}

/// A Gateway's configuration, compiled for lookups.
///
/// Identifiers of listeners and rules belong to the router that gave them. A connection that outlives
/// its router asks the next one for its listener by key ([`Router::listener_id`]).
///
/// A router that is made from an earlier one ([`Router::recompile`]) shares with it whatever no change has touched, and
/// a rule that has not changed keeps its identifier.
#[derive(Clone, Debug)]
pub struct Router {
    /// What it was compiled from.
    pub(crate) source: Source,
    /// Sorted by key.
    pub(crate) listeners: Arc<[Arc<Listener>]>,
    pub(crate) ports: Arc<Ports>,
    /// For each listener.
    pub(crate) route_tables: Vec<RouteTable>,
    pub(crate) streams: Arc<Streams>,
    /// By [`RuleId`].
    pub(crate) rules: SharedSlots<RuleEntry>,
    pub(crate) rules_of: SharedMap<RouteKey, Vec<RuleId>>,
    pub(crate) refused: Arc<Vec<Refused>>,
}

/// What a router was compiled from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) listeners: SharedMap<ListenerKey, Arc<Listener>>,
    pub(crate) routes: SharedMap<RouteKey, Arc<Route>>,
}

impl Router {
    /// The listeners, sorted by key.
    pub fn listeners(&self) -> &[Arc<Listener>] {
        &self.listeners
    }

    /// A listener.
    ///
    /// # Panics
    ///
    /// When `id` is from another router that had more listeners.
    pub fn listener(&self, id: ListenerId) -> &Arc<Listener> {
        &self.listeners[id.0 as usize]
    }

    /// The listener with a key, if there still is one.
    pub fn listener_id(&self, key: &ListenerKey) -> Option<ListenerId> {
        let position = self.listeners.binary_search_by(|listener| listener.key.cmp(key)).ok()?;
        Some(ListenerId(index(position)))
    }

    /// The rules of all HTTPRoutes and GRPCRoutes that compiled, by [`RuleId`].
    pub fn rules(&self) -> &SharedSlots<RuleEntry> {
        &self.rules
    }

    /// The rules of all TLSRoutes, TCPRoutes and UDPRoutes.
    pub fn l4_rules(&self) -> &[L4RuleEntry] {
        &self.streams.rules
    }

    /// Whether TLSRoutes, TCPRoutes and UDPRoutes are the same as in another router that this was made from, and their
    /// rules have the same identifiers.
    pub fn shares_l4_rules(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.streams, &other.streams)
    }

    /// What was refused when this was compiled.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// The clear-text HTTP listener that serves `host` on `port`: the most specific one only (listener
    /// isolation). `host`: lower case, without port and trailing dot; empty where there is none.
    pub fn http_listener(&self, port: u16, host: &str) -> Option<ListenerId> {
        self.ports.http(port, host)
    }

    /// Whether a connection that was accepted for HTTPS listener `connection` may carry a request for `host`.
    ///
    /// The owner of a host is the listener that a new connection with this server name would reach:
    /// the most specific of the port's HTTPS listeners, and its TLS listeners too, since a request
    /// that is meant for one of those must not be served by a wider HTTPS listener.
    ///
    /// # Errors
    ///
    /// No listener owns the host, or another than `connection` (GEP-3567); the client is at fault.
    pub fn https_listener(&self, connection: ListenerId, host: &str) -> Result<ListenerId, HostRefusal> {
        let listener = self.listeners.get(connection.0 as usize).ok_or(HostRefusal::NotFound)?;
        match self.ports.tls(listener.port, host) {
            Some(owner) if owner == connection => Ok(owner),
            Some(owner) => Err(HostRefusal::Misdirected(owner)),
            None => Err(HostRefusal::NotFound),
        }
    }

    /// Where a TLS connection goes: to the most specific of the port's HTTPS and TLS listeners. None:
    /// no listener has this server name. `server_name`: lower case; without one, only a listener
    /// without hostname takes the connection.
    pub fn tls_target(&self, port: u16, server_name: Option<&str>) -> Option<TlsTarget> {
        let name = server_name.unwrap_or_default();
        let id = self.ports.tls(port, name)?;
        let rule = || self.streams.tables.get(id.0 as usize)?.find(name).next().copied();
        match self.listener(id).protocol {
            ListenerProtocol::Https(_) => Some(TlsTarget::Https(id)),
            ListenerProtocol::TlsTerminate(_) => Some(TlsTarget::Terminate(id, rule())),
            ListenerProtocol::TlsPassthrough => Some(TlsTarget::Passthrough(id, rule())),
            // Not in the table of TLS listeners.
            ListenerProtocol::Http | ListenerProtocol::Tcp | ListenerProtocol::Udp => None,
        }
    }

    /// The rule that serves TCP or UDP listener `listener`: that of the oldest route.
    pub fn l4_rule(&self, listener: ListenerId) -> Option<L4RuleId> {
        self.streams.tables.get(listener.0 as usize)?.find("").next().copied()
    }

    /// The rule that serves `request` at `listener`. None: status 404.
    pub fn route<R: Request + ?Sized>(&self, listener: ListenerId, request: &R) -> Option<RouteMatch> {
        let found = self.route_tables.get(listener.0 as usize)?.find(request)?;
        let prefix_len = found.path.prefix_len().map(index);
        Some(RouteMatch { rule: found.rule, match_index: found.match_index, prefix_len })
    }
}

/// A position as an index. Four billion entries do not fit into memory, so nothing is cut off.
pub(crate) fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
