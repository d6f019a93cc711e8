//! One immutable state of the data plane: what it was told, compiled.

mod build;
mod ports;
mod rules;
mod uses;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use portway_config::{Configuration, NamespacedName, Revision};
use portway_route::{L4RuleId, Router};
use portway_shared_map::SharedSlots;

use crate::connection::{Owner, Split, Target};
use crate::reason::Reason;
use crate::tls::CertifiedKeys;
use crate::upstream::Backend;

pub use build::Refused;
pub(crate) use ports::{Ports, TcpPort};
pub(crate) use uses::BackendUses;

/// One immutable state of the data plane. It is built aside and swapped in whole; a request keeps the
/// one that it began with.
#[derive(Debug)]
pub struct Snapshot {
    /// Its number.
    pub revision: Revision,
    /// The Gateways of this process, each with its own sockets.
    pub gateways: Vec<Arc<GatewaySnapshot>>,
}

impl Snapshot {
    /// Nothing to serve.
    pub fn empty() -> Self {
        Self { revision: Revision::default(), gateways: Vec::new() }
    }

    /// A Gateway by its name.
    pub fn gateway(&self, name: &NamespacedName) -> Option<&Arc<GatewaySnapshot>> {
        self.gateways.iter().find(|gateway| gateway.configuration.gateway == *name)
    }
}

/// The compiled configuration of one Gateway.
#[derive(Debug)]
pub struct GatewaySnapshot {
    /// The configuration that this was compiled from.
    pub configuration: Arc<Configuration>,
    /// Listeners and routes for lookups.
    pub router: Router,
    /// What [`Router::rules`] need at request time, by the same numbers.
    pub rules: SharedSlots<Arc<crate::http::CompiledRule>>,
    /// Filters of listeners, in the order of [`Router::listeners`].
    pub listener_filters: Vec<crate::http::ListenerFilters>,
    /// TLS settings of listeners, in the order of [`Router::listeners`]; absent for those without TLS.
    pub tls: Vec<Option<crate::tls::ListenerTls>>,
    /// Backends with their endpoints and TLS settings.
    pub backends: crate::upstream::Backends,
    /// Sockets to listen on.
    pub bindings: Vec<Binding>,
    /// What is spoken on each port.
    pub(crate) ports: Ports,
    /// How each of [`Router::l4_rules`] splits its connections, in the same order.
    pub(crate) l4_rules: Arc<Vec<Split>>,
    /// How often rules name each backend.
    pub(crate) uses: BackendUses,
    /// The certificates of the listeners.
    pub(crate) keys: CertifiedKeys,
}

impl GatewaySnapshot {
    /// Chooses the backend for a connection or UDP session by the weights of its rule.
    pub(crate) fn choose_backend(&self, rule: L4RuleId) -> Result<Arc<Backend>, Reason> {
        let split = self.l4_rules.get(rule.0 as usize).ok_or(Reason::NoRoute)?;
        match split.choose().ok_or(Reason::NoBackend)? {
            Target::Backend(id) => self.backends.get(id).cloned().ok_or(Reason::NoBackend),
            Target::Invalid(fault) => Err(Reason::Fault(fault)),
        }
    }
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

impl Binding {
    pub(crate) fn key(&self) -> PortKey {
        PortKey { address: self.address, transport: self.transport }
    }
}

/// What tells one socket from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortKey {
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
}

impl PortKey {
    pub(crate) fn binding(self, owner: &Owner) -> Binding {
        Binding { address: self.address, transport: self.transport, listener_port: owner.listener_port }
    }
}

/// Transport of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Transport {
    Tcp,
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}
