//! The ports that a Gateway is served on.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::core::v1::ServicePort;
use portway_api::portway_parameters::TransportProtocol;
use portway_config::{Configuration, listener::ListenerProtocol};

/// A port that a Gateway is served on. HTTP and TLS listeners share one where they share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServedPort {
    /// Number.
    pub port: u16,
    /// Transport.
    pub transport: TransportProtocol,
}

impl ServedPort {
    /// Its name in the Service: it must be the same for ever, since EndpointSlices go by it.
    pub fn name(self) -> String {
        format!("{}-{}", self.transport.as_str().to_ascii_lowercase(), self.port)
    }

    /// A port of a Service; None for a transport that no Gateway has.
    pub fn of_service(port: &ServicePort) -> Option<Self> {
        let transport = match port.protocol.as_deref().unwrap_or("TCP") {
            "TCP" => TransportProtocol::Tcp,
            "UDP" => TransportProtocol::Udp,
            _ => return None,
        };
        Some(Self { port: u16::try_from(port.port).ok()?, transport })
    }
}

impl fmt::Display for ServedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.transport.as_str())
    }
}

/// The ports of a Gateway's listeners and those of its ListenerSets, as far as they are served.
pub fn served_ports(configuration: &Configuration) -> BTreeSet<ServedPort> {
    let listeners = configuration.listeners.values();
    listeners
        .map(|listener| {
            let is_udp = matches!(listener.protocol, ListenerProtocol::Udp);
            let transport = if is_udp { TransportProtocol::Udp } else { TransportProtocol::Tcp };
            ServedPort { port: listener.port, transport }
        })
        .collect()
}
