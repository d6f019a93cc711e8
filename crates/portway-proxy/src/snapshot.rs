//! One immutable state of the data plane: what it was told, compiled.

use std::net::SocketAddr;
use std::sync::Arc;

use portway_config::{Configuration, Revision};
use portway_route::Router;

/// One immutable state of the data plane. It is built aside and swapped in whole; a request keeps the
/// one that it began with.
#[derive(Debug)]
pub struct Snapshot {
    /// Its number.
    pub revision: Revision,
    /// The Gateways of this process, each with its own sockets.
    pub gateways: Vec<Arc<GatewaySnapshot>>,
}

/// The compiled configuration of one Gateway.
#[derive(Debug)]
pub struct GatewaySnapshot {
    /// The configuration that this was compiled from.
    pub configuration: Arc<Configuration>,
    /// Listeners and routes for lookups.
    pub router: Router,
    /// What [`Router::rules`] need at request time, in the same order.
    pub rules: Vec<crate::http::CompiledRule>,
    /// TLS settings of listeners, in the order of [`Router::listeners`]; absent for those without TLS.
    pub tls: Vec<Option<crate::tls::ListenerTls>>,
    /// Backends with their endpoints and TLS settings.
    pub backends: crate::upstream::Backends,
    /// Sockets to listen on.
    pub bindings: Vec<Binding>,
}

/// A socket to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binding {
    /// What is bound; its port may be shifted from the listener's by an option.
    pub address: SocketAddr,
    /// TCP or UDP.
    pub transport: Transport,
    /// The port that the Gateway's listeners name.
    pub listener_port: u16,
}

/// Transport of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Transport {
    Tcp,
    Udp,
}
