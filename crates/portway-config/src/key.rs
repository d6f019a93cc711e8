//! Structured keys of the resources.
//!
//! Keys are never joined into one string: `a-b/c` and `a/b-c` must not meet. Their `Display` is for
//! people only.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Namespace and name of a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NamespacedName {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl NamespacedName {
    /// The key of `name` in `namespace`.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Whose listener it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ListenerParent {
    /// The Gateway itself.
    Gateway(NamespacedName),
    /// A ListenerSet that is attached to the Gateway.
    ListenerSet(NamespacedName),
}

/// Key of a listener.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListenerKey {
    /// Whose listener it is.
    pub parent: ListenerParent,
    /// Its name there.
    pub name: Arc<str>,
}

impl fmt::Display for ListenerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parent {
            ListenerParent::Gateway(gateway) => write!(f, "{gateway}/{}", self.name),
            ListenerParent::ListenerSet(set) => write!(f, "ListenerSet {set}/{}", self.name),
        }
    }
}

/// The kinds of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is named for the kind")]
pub enum RouteKind {
    #[serde(rename = "HTTPRoute")]
    Http,
    #[serde(rename = "GRPCRoute")]
    Grpc,
    #[serde(rename = "TLSRoute")]
    Tls,
    #[serde(rename = "TCPRoute")]
    Tcp,
    #[serde(rename = "UDPRoute")]
    Udp,
}

impl RouteKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Http, Self::Grpc, Self::Tls, Self::Tcp, Self::Udp];

    /// The kind, in the API's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTPRoute",
            Self::Grpc => "GRPCRoute",
            Self::Tls => "TLSRoute",
            Self::Tcp => "TCPRoute",
            Self::Udp => "UDPRoute",
        }
    }
}

/// Key of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteKey {
    /// Kind.
    pub kind: RouteKind,
    /// Namespace and name.
    pub name: NamespacedName,
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// How the data plane speaks to a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BackendProtocol {
    /// HTTP/1.1, upgrades included (appProtocol `kubernetes.io/ws` and `http` mean no more than this).
    Http1,
    /// HTTP/2: with prior knowledge in clear text (`kubernetes.io/h2c`, GRPCRoutes), by ALPN over TLS.
    Http2,
    /// A byte stream.
    Tcp,
    /// Datagrams.
    Udp,
}

impl BackendProtocol {
    /// Every protocol.
    pub const ALL: [Self; 4] = [Self::Http1, Self::Http2, Self::Tcp, Self::Udp];

    /// What carries it.
    pub fn transport(self) -> Transport {
        match self {
            Self::Http1 | Self::Http2 | Self::Tcp => Transport::Tcp,
            Self::Udp => Transport::Udp,
        }
    }
}

/// Key of a backend: a port of a Service, and how it is spoken to. The protocol is part of the key
/// because an HTTPRoute and a GRPCRoute may refer to the same port of the same Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BackendKey {
    /// The endpoints behind it.
    pub endpoints: EndpointsKey,
    /// How it is spoken to.
    pub protocol: BackendProtocol,
}

impl fmt::Display for BackendKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoints.fmt(f)
    }
}

/// Key of a set of endpoints: a port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EndpointsKey {
    /// The Service.
    pub service: NamespacedName,
    /// Its port, as routes name it (not the target port).
    pub port: u16,
    /// Its protocol: one number may be a TCP port and a UDP port, with endpoints of their own (as for DNS).
    pub transport: Transport,
}

/// Transport protocol of a Service's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Transport {
    Tcp,
    Udp,
}

impl fmt::Display for EndpointsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.port)?;
        match self.transport {
            Transport::Tcp => Ok(()),
            Transport::Udp => f.write_str("/UDP"),
        }
    }
}

/// Key of a certificate: the Secret that holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CertificateKey(pub NamespacedName);

/// Key of a set of trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TrustKey {
    /// A ConfigMap.
    ConfigMap(NamespacedName),
    /// A ClusterTrustBundle.
    ClusterTrustBundle(Arc<str>),
}
