//! Backends and their endpoints.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::key::{BackendKey, CertificateKey, EndpointsKey, TrustKey};
use crate::route::Fault;

/// A backend: how its endpoints are spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Backend {
    /// Key.
    pub key: BackendKey,
    /// TLS towards it. Not for a connection that a listener passes through
    /// ([`crate::ListenerProtocol::TlsPassthrough`]): that one is encrypted by its client already.
    pub tls: BackendTls,
}

/// TLS towards a backend.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BackendTls {
    /// None.
    Plain,
    /// TLS.
    Tls(BackendTlsSettings),
    /// TLS is asked for, but its settings are invalid: no connection may be made.
    Refused(Fault),
}

/// Settings of TLS towards a backend (GEP-1897).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BackendTlsSettings {
    /// Server name that is sent (SNI), and that the certificate must have unless `subject_alt_names` is given.
    pub server_name: Arc<str>,
    /// Who must have signed the certificate.
    pub trust: BackendTrust,
    /// Names of which the certificate must have one; empty asks for `server_name`.
    #[serde(default)]
    pub subject_alt_names: Vec<SubjectAltName>,
    /// The certificate that the Gateway shows.
    pub client_certificate: Option<CertificateKey>,
}

/// Who must have signed a backend's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BackendTrust {
    /// An authority that the proxy's system trusts.
    System,
    /// One of these.
    Bundles(Vec<TrustKey>),
}

/// A name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubjectAltName {
    /// A DNS name; the certificate's may be a wildcard.
    Dns(Arc<str>),
    /// A URI, compared as a whole.
    Uri(Arc<str>),
}

/// The endpoints of a port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoints {
    /// Key.
    pub key: EndpointsKey,
    /// Endpoints, sorted and without duplicates.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where it is.
    pub address: EndpointAddress,
    /// Whether it takes new requests.
    pub state: EndpointState,
    /// Name of the node that it is on, where that is known. Node agents alone are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Arc<str>>,
}

/// Whether an endpoint takes new requests (EndpointSlice conditions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EndpointState {
    /// Ready.
    Ready,
    /// Terminating, but still serving: used only when no endpoint is ready.
    Terminating,
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EndpointAddress {
    /// An address.
    Socket(SocketAddr),
    /// A DNS name (a Service of type ExternalName), resolved by the data plane.
    Dns {
        /// Name.
        host: Arc<str>,
        /// Port.
        port: u16,
    },
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Dns { host, port } => write!(f, "{host}:{port}"),
        }
    }
}
