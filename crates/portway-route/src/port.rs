//! Which listener of a port takes a connection or a request.

use std::collections::BTreeMap;

use portway_config::{Listener, ListenerProtocol};

use crate::host_table::HostTable;
use crate::router::{L4RuleId, ListenerId};

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

impl TlsTarget {
    /// The listener that takes the connection.
    pub fn listener(self) -> ListenerId {
        match self {
            Self::Https(listener) | Self::Terminate(listener, _) | Self::Passthrough(listener, _) => listener,
        }
    }
}

/// Why no HTTPS listener serves a request on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRefusal {
    /// No listener has this host: status 404.
    NotFound,
    /// Another listener of the port owns this host: status 421 (GEP-3567).
    Misdirected(ListenerId),
}

/// The listeners of all ports, by hostname. TCP and UDP listeners, which have none, are not among them.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    http: BTreeMap<u16, HostTable<ListenerId>>,
    tls: BTreeMap<u16, HostTable<ListenerId>>,
}

impl Ports {
    /// Adds a listener; gives back the one that has its port and hostname already.
    pub(crate) fn insert(&mut self, listener: &Listener, id: ListenerId) -> Result<(), ListenerId> {
        let ports = match listener.protocol {
            ListenerProtocol::Http => &mut self.http,
            ListenerProtocol::Https(_)
            | ListenerProtocol::TlsTerminate(_)
            | ListenerProtocol::TlsPassthrough => &mut self.tls,
            ListenerProtocol::Tcp | ListenerProtocol::Udp => return Ok(()),
        };
        ports.entry(listener.port).or_default().insert(&listener.hostname, id)
    }

    /// The HTTP listener of `port` with the most specific hostname that matches `host`.
    pub(crate) fn http(&self, port: u16, host: &str) -> Option<ListenerId> {
        self.http.get(&port)?.find(host).next().copied()
    }

    /// The HTTPS or TLS listener of `port` with the most specific hostname that matches `name`.
    pub(crate) fn tls(&self, port: u16, name: &str) -> Option<ListenerId> {
        self.tls.get(&port)?.find(name).next().copied()
    }
}
