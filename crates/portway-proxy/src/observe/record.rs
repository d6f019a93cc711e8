//! What is recorded of a request and of a connection.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use hyper::{Method, Version};
use portway_config::{BackendKey, ListenerKey, NamespacedName, Revision, RouteKey};
use portway_route::{ListenerId, RuleId};

use crate::reason::Reason;

/// All that is recorded of a request. It borrows from what the request has held anyway (its snapshot, its
/// head), so that recording touches no reference count that workers share and allocates nothing.
#[derive(Clone, Debug)]
pub struct RequestRecord<'a> {
    /// When the head of the request was read.
    pub start: SystemTime,
    /// Where the next six fields stand in the configuration, if it has them.
    pub served_by: Option<ServedBy>,
    /// The configuration that served it.
    pub revision: Revision,
    /// The Gateway.
    pub gateway: &'a NamespacedName,
    /// The listener, once it is known.
    pub listener: Option<&'a ListenerKey>,
    /// The route, once it is known.
    pub route: Option<&'a RouteKey>,
    /// Index of the rule in the route, and its name.
    pub rule: Option<(usize, Option<&'a str>)>,
    /// The backend, once it is chosen.
    pub backend: Option<&'a BackendKey>,
    /// The endpoint of the last attempt.
    pub endpoint: Option<SocketAddr>,
    /// Attempts at backends; 0 when none was made.
    pub attempts: u32,
    /// The peer of the connection.
    pub peer: SocketAddr,
    /// The client: the peer, or what trusted proxies say.
    pub client: IpAddr,
    /// Protocol version.
    pub version: Version,
    /// Method.
    pub method: &'a Method,
    /// Scheme: `http` or `https`.
    pub scheme: &'static str,
    /// Host, as requested.
    pub authority: &'a str,
    /// Path and query, as requested.
    pub target: &'a str,
    /// Request id.
    pub request_id: &'a str,
    /// `User-Agent`, when present.
    pub user_agent: Option<&'a str>,
    /// Status that the client got; 0 when it got none.
    pub status: u16,
    /// Why Portway answered by itself or ended the request early.
    pub reason: Option<Reason>,
    /// What exactly went wrong, where more is known than the reason.
    pub cause: Option<&'a str>,
    /// Body bytes of the request that were forwarded.
    pub request_bytes: u64,
    /// Body bytes of the response that were forwarded.
    pub response_bytes: u64,
    /// Durations.
    pub timing: Timing,
}

/// Which part of which configuration served a request. Two requests of one worker that were served by the same have
/// revision, Gateway, listener, route, rule and backend alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedBy {
    /// Number of the snapshot among those that the worker has had.
    pub generation: u64,
    /// Index of the Gateway in it.
    pub gateway: usize,
    /// The listener, once it is known.
    pub listener: Option<ListenerId>,
    /// The rule, once it is known.
    pub rule: Option<RuleId>,
    /// Index of the backend in the rule, once it is chosen.
    pub backend: Option<usize>,
}

/// The parts of a request's duration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// From the head of the request until the last byte of the response was handed on.
    pub total: Duration,
    /// Getting the connection to the endpoint that answered.
    pub connect: Duration,
    /// From the request being sent until the head of the response.
    pub upstream: Duration,
    /// What is left until the head of the response was handed on: Portway's own work, queues, retries.
    pub own: Duration,
}

/// What is recorded of a TCP or TLS connection, or a UDP session, that is not HTTP; and of connections
/// that end before HTTP begins.
#[derive(Clone, Debug)]
pub struct L4Record {
    /// When it was accepted.
    pub start: SystemTime,
    /// The configuration that served it.
    pub revision: Revision,
    /// The Gateway.
    pub gateway: NamespacedName,
    /// `tcp`, `tls` or `udp`.
    pub protocol: &'static str,
    /// The listener, once it is known.
    pub listener: Option<ListenerKey>,
    /// The route, once it is known.
    pub route: Option<RouteKey>,
    /// The backend, once it is chosen.
    pub backend: Option<BackendKey>,
    /// The endpoint.
    pub endpoint: Option<SocketAddr>,
    /// The peer.
    pub peer: SocketAddr,
    /// Server name (SNI).
    pub server_name: Option<Box<str>>,
    /// Why it was refused or ended early.
    pub reason: Option<Reason>,
    /// Status of the answer that a client got whose request could not be read.
    pub status: Option<u16>,
    /// Bytes from the client.
    pub received_bytes: u64,
    /// Bytes to the client.
    pub sent_bytes: u64,
    /// How long it lived.
    pub total: Duration,
}
