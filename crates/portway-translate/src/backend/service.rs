//! Services, as far as backends ask.

use std::fmt;

use portway_api::core::{Service, ServicePort};
use portway_config::EndpointsKey;

/// Transport protocol of a Service's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// TCP, which is also what an absent protocol means.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP or anything else, which no route can use.
    Other,
}

impl From<portway_config::Transport> for Transport {
    fn from(transport: portway_config::Transport) -> Self {
        match transport {
            portway_config::Transport::Tcp => Self::Tcp,
            portway_config::Transport::Udp => Self::Udp,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Other => "another protocol",
        })
    }
}

/// The ports of a Service.
pub(crate) fn ports(service: &Service) -> impl Iterator<Item = &ServicePort> {
    service.spec.iter().flat_map(|spec| spec.ports.iter().flatten())
}

/// The port of a Service that a key means: by its number and protocol.
pub(crate) fn port<'s>(service: &'s Service, key: &EndpointsKey) -> Option<&'s ServicePort> {
    ports(service).find(|port| is_port(port, key))
}

/// Whether a key means this port.
pub(crate) fn is_port(port: &ServicePort, key: &EndpointsKey) -> bool {
    port.port == i32::from(key.port) && protocol(port) == key.transport.into()
}

/// Protocol of a port.
pub(crate) fn protocol(port: &ServicePort) -> Transport {
    protocol_or_default(port.protocol.as_deref())
}

/// A protocol as Kubernetes writes it; absent is TCP.
pub(crate) fn protocol_or_default(text: Option<&str>) -> Transport {
    match text {
        None | Some("" | "TCP") => Transport::Tcp,
        Some("UDP") => Transport::Udp,
        Some(_) => Transport::Other,
    }
}

/// The DNS name that a Service of type ExternalName stands for.
pub(crate) fn external_name(service: &Service) -> Option<&str> {
    let spec = service.spec.as_ref()?;
    let name = spec.external_name.as_deref().filter(|name| !name.is_empty())?;
    (spec.type_.as_deref() == Some("ExternalName")).then_some(name)
}

/// Whether a cluster finds the endpoints of a Service by the labels of its pods.
pub(crate) fn has_selector(service: &Service) -> bool {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.is_some_and(|selector| !selector.is_empty())
}

/// The ports of a Service for a message: `80 (http), 443 (https)`.
pub(crate) fn list_ports(service: &Service) -> String {
    let ports = ports(service).map(|port| match port.name.as_deref() {
        Some(name) if !name.is_empty() => format!("{} ({name})", port.port),
        _ => port.port.to_string(),
    });
    let ports: Vec<_> = ports.collect();
    if ports.is_empty() { "none".to_owned() } else { ports.join(", ") }
}
