//! Listeners.

use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::hostname::HostnamePattern;
use crate::key::{CertificateKey, ListenerKey, TrustKey};

/// A listener that is served.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Listener {
    /// Key.
    pub key: ListenerKey,
    /// Port, as the Gateway names it; what is bound may be shifted by an option.
    pub port: u16,
    /// Hostname: of the request for HTTP, of the server name (SNI) for TLS, and of both for HTTPS.
    pub hostname: HostnamePattern,
    /// Protocol with its TLS settings.
    pub protocol: ListenerProtocol,
    /// Filters that run for each request before the route is chosen (GEP-5224).
    #[serde(default)]
    pub filters: Vec<Filter>,
}

/// Protocol of a listener with its TLS settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ListenerProtocol {
    /// HTTP/1.1 and HTTP/2 with prior knowledge, in clear text.
    Http,
    /// HTTP over TLS that ends here.
    Https(TlsTermination),
    /// A byte stream over TLS that ends here, routed by server name.
    TlsTerminate(TlsTermination),
    /// TLS that the backend ends, routed by server name.
    TlsPassthrough,
    /// A byte stream.
    Tcp,
    /// Datagrams.
    Udp,
}

impl ListenerProtocol {
    /// How TLS ends here, if it does.
    pub fn termination(&self) -> Option<&TlsTermination> {
        match self {
            Self::Https(tls) | Self::TlsTerminate(tls) => Some(tls),
            _ => None,
        }
    }

    /// Whether a connection begins with a TLS ClientHello.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Https(_) | Self::TlsTerminate(_) | Self::TlsPassthrough)
    }

    /// Whether requests are HTTP.
    pub fn is_http(&self) -> bool {
        matches!(self, Self::Http | Self::Https(_))
    }
}

/// How TLS ends at a listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TlsTermination {
    /// Certificates, in the order of the Gateway. The one that fits the server name is shown, else the first.
    pub certificates: Vec<CertificateKey>,
    /// Validation of client certificates; absent asks for none.
    pub client_validation: Option<ClientValidation>,
}

/// Validation of client certificates (GEP-91).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientValidation {
    /// Trust anchors. Where none is left, every handshake is refused.
    pub trust: Vec<TrustKey>,
    /// What happens to a client without a valid certificate.
    pub mode: ClientValidationMode,
}

/// What happens to a client without a valid certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ClientValidationMode {
    /// The handshake is refused.
    AllowValidOnly,
    /// It is let through.
    AllowInsecureFallback,
}
