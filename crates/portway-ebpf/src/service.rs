//! What the kernel data plane is asked to do: listeners, and the endpoints behind each.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::layout;

/// What is to be served: for each listener's address what is behind it.
pub type Services = BTreeMap<ServiceAddress, Service>;

/// Where clients find a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceAddress {
    /// TCP or UDP.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
}

/// A transport protocol that is balanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    /// Its number in the header of an IP packet.
    pub fn protocol(self) -> u8 {
        match self {
            Self::Tcp => layout::TCP,
            Self::Udp => layout::UDP,
        }
    }
}

/// What is behind a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Backends with their weights.
    pub backends: Vec<Backend>,
    /// Whether a client's address alone chooses the endpoint, so that all its connections lead to one.
    pub source_affinity: bool,
    /// Whether a proxy of this node listens at the same address, which keeps the TCP connections that it has.
    pub beside_proxy: bool,
    /// The number of the Gateway through which clients reach the backends, for network policy there
    /// ([`GatewayNumbers`](crate::policy::GatewayNumbers)). Zero: the backends are the Gateway's proxies, or nobody asks.
    pub gateway: u32,
}

/// Endpoints that share a weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Share of the new flows, relative to the sum of the weights.
    pub weight: u32,
    /// Those that get it, in equal parts. Without any, the share is refused, as the Gateway API asks for
    /// (BackendRefs of TCPRouteRule and UDPRouteRule).
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Where it is. Of another family than its listener's, it gets nothing.
    pub address: SocketAddr,
    /// How packets get there and back.
    pub reach: Reach,
    /// The node's own address on the way there, for packets that do not keep their client's. Absent: the one that
    /// [`Node`](crate::Node) names.
    pub source: Option<IpAddr>,
}

/// How packets get to an endpoint and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Its replies come through an interface of this node that the programs are attached to: a pod of this node.
    Forwarded,
    /// It is at an address of this node.
    OnNode,
    /// Its replies would go elsewhere, so that packets carry the node's address as their source.
    Masqueraded,
    /// It is on another node, at this address, which is a neighbour: packets are left to that node's programs as they are,
    /// and it answers its clients by itself. What comes from another node itself is masqueraded.
    OnNeighbour(IpAddr),
}

impl Reach {
    /// The flags of `struct endpoint`.
    pub fn flags(self) -> u16 {
        match self {
            Self::Forwarded => 0,
            Self::OnNode => layout::ENDPOINT_ON_NODE,
            Self::Masqueraded => layout::ENDPOINT_MASQUERADE,
            Self::OnNeighbour(_) => layout::ENDPOINT_ON_NEIGHBOUR,
        }
    }

    /// The other node that packets are left to.
    pub fn node(self) -> Option<IpAddr> {
        match self {
            Self::OnNeighbour(node) => Some(node),
            _ => None,
        }
    }

    /// Whether the endpoint sees the client's own address.
    pub fn keeps_client_address(self) -> bool {
        self != Self::Masqueraded
    }
}
