//! The matcher: compile the routes of a Gateway, match a request, explain a match.
//!
//! No I/O, no async, no allocation while matching. What serves the traffic is what `portway explain`
//! asks. Precedence is `Ord` on a match key, in the order of the Gateway API.

#![allow(missing_docs)]

use std::sync::Arc;

use portway_config::{Configuration, HttpRule, Listener, Route};

/// Index of a listener in [`Router::listeners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u32);

/// Index of an HTTP rule in [`Router::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub u32);

/// Index of a rule of a TLSRoute, TCPRoute or UDPRoute in [`Router::l4_rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct L4RuleId(pub u32);

/// What the matcher looks at in a request.
pub trait Request {
    /// Lower case, without port and trailing dot; empty where there is none.
    fn host(&self) -> &str;
    fn method(&self) -> &str;
    /// Canonical path, without query.
    fn path(&self) -> &str;
    /// Raw query, without `?`.
    fn query(&self) -> Option<&str>;
    /// Calls `each` with each value of a header (lower-case name) until it returns true; returns whether one did.
    fn any_header(&self, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

/// The rule that serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    pub rule: RuleId,
    /// Index in the rule's `matches`.
    pub match_index: u32,
    /// Length of the path prefix that matched (0 for all), when the match is one on a prefix.
    pub prefix_len: Option<u32>,
}

/// An HTTP rule with the route that it belongs to.
#[derive(Clone, Debug)]
pub struct RuleEntry {
    pub route: Arc<Route>,
    /// Position in the route's list of rules in the configuration.
    pub position: usize,
}

impl RuleEntry {
    pub fn rule(&self) -> &HttpRule {
        unimplemented!()
    }
}

/// Where a TLS connection with a certain server name goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsTarget {
    /// Terminate as this HTTPS listener says, then HTTP.
    Https(ListenerId),
    /// Terminate as this TLS listener says, then forward the byte stream by this rule (None: no TLSRoute matches).
    Terminate(ListenerId, Option<L4RuleId>),
    /// Forward untouched.
    Passthrough(ListenerId, Option<L4RuleId>),
}

/// Why no HTTPS listener serves a request on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRefusal {
    /// No listener has this host: status 404.
    NotFound,
    /// Another listener of the port owns this host: status 421 (GEP-3567).
    Misdirected(ListenerId),
}

/// A Gateway's configuration, compiled for lookups.
#[derive(Debug)]
pub struct Router {}

impl Router {
    /// Compiles. A resource that cannot be compiled is refused alone.
    pub fn compile(_configuration: &Configuration) -> (Self, Vec<String>) {
        unimplemented!()
    }
    pub fn listeners(&self) -> &[Arc<Listener>] {
        unimplemented!()
    }
    pub fn listener(&self, _id: ListenerId) -> &Arc<Listener> {
        unimplemented!()
    }
    pub fn rules(&self) -> &[RuleEntry] {
        unimplemented!()
    }
    /// The clear-text HTTP listener that serves `host` on `port`: the most specific one only (listener isolation).
    pub fn http_listener(&self, _port: u16, _host: &str) -> Option<ListenerId> {
        unimplemented!()
    }
    /// Whether a connection that was accepted for HTTPS listener `connection` may carry a request for `host`.
    pub fn https_listener(&self, _connection: ListenerId, _host: &str) -> Result<ListenerId, HostRefusal> {
        unimplemented!()
    }
    /// Where a TLS connection goes. `server_name`: lower case.
    pub fn tls_target(&self, _port: u16, _server_name: Option<&str>) -> Option<TlsTarget> {
        unimplemented!()
    }
    /// The rule of the TCP or UDP listener on `port`.
    pub fn l4_rule(&self, _listener: ListenerId) -> Option<L4RuleId> {
        unimplemented!()
    }
    pub fn route<R: Request + ?Sized>(&self, _listener: ListenerId, _request: &R) -> Option<RouteMatch> {
        unimplemented!()
    }
}
