//! What is spoken on each port of a Gateway.

use std::collections::HashMap;
use std::sync::Arc;

use portway_config::{Listener, ListenerProtocol};
use portway_route::ListenerId;

/// What is spoken on a TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpPort {
    /// HTTP in clear text.
    Http,
    /// TLS: HTTPS, termination and passthrough may share the port.
    Tls,
    /// A byte stream, of this listener.
    Tcp(ListenerId),
}

/// What is spoken on each port.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    tcp: HashMap<u16, TcpPort>,
    udp: HashMap<u16, ListenerId>,
}

impl Ports {
    /// Translation leaves no two listeners in conflict; should it, the first has the port.
    pub(crate) fn of(listeners: &[Arc<Listener>]) -> Self {
        let mut ports = Self::default();
        // There are fewer than 2^32 listeners: each takes more than one byte of memory.
        for (id, listener) in (0..).map(ListenerId).zip(listeners) {
            let speaks = match listener.protocol {
                ListenerProtocol::Http => TcpPort::Http,
                ListenerProtocol::Https(_)
                | ListenerProtocol::TlsTerminate(_)
                | ListenerProtocol::TlsPassthrough => TcpPort::Tls,
                ListenerProtocol::Tcp => TcpPort::Tcp(id),
                ListenerProtocol::Udp => {
                    ports.udp.entry(listener.port).or_insert(id);
                    continue;
                }
            };
            ports.tcp.entry(listener.port).or_insert(speaks);
        }
        ports
    }

    pub(crate) fn tcp(&self, port: u16) -> Option<TcpPort> {
        self.tcp.get(&port).copied()
    }

    pub(crate) fn udp(&self, port: u16) -> Option<ListenerId> {
        self.udp.get(&port).copied()
    }
}
