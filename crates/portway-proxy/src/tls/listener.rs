//! TLS settings of a listener, compiled.

use std::fmt;
use std::sync::{Arc, LazyLock};

use portway_config::key::{CertificateKey, TrustKey};
use portway_config::listener::TlsTermination;
use portway_config::tls::{Certificate, TrustBundle};
use portway_config::{Configuration, Listener, ListenerKey, ListenerProtocol};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::certificate::{CertificateChoice, CertificateError, CertifiedKeys};
use super::client_validation::{self, TrustError};

/// The cryptography of all sessions with clients.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// TLS settings of one listener.
///
/// Each listener has tickets of its own: a session that began at one listener cannot be resumed at
/// another, so a client certificate that one listener took is of no use at another (GEP-91).
#[derive(Clone)]
pub struct ListenerTls {
    termination: Termination,
    source: Arc<Source>,
}

/// How sessions end here.
#[derive(Clone)]
pub(crate) enum Termination {
    /// As this says.
    Ready(TlsAcceptor),
    /// Not at all: no certificate is left that could be shown.
    Refused,
}

/// What it was compiled from; equal sources make equal settings.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    http: bool,
    settings: TlsTermination,
    certificates: Vec<Option<Arc<Certificate>>>,
    trust: Vec<Option<Arc<TrustBundle>>>,
}

/// Why a part of a listener's TLS settings is left out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TlsRefused {
    /// A certificate. The listener serves with those that are left.
    #[error("listener {listener}: Secret {}: {error}", certificate.0)]
    Certificate {
        /// The listener.
        listener: ListenerKey,
        /// The certificate.
        certificate: CertificateKey,
        /// What is wrong.
        error: CertificateError,
    },
    /// A trust anchor. Clients that only it vouches for are refused.
    #[error("listener {listener}: {trust}: {error}")]
    Trust {
        /// The listener.
        listener: ListenerKey,
        /// The set of trust anchors.
        trust: TrustName,
        /// What is wrong.
        error: TrustError,
    },
    /// No certificate is left: every handshake is refused.
    #[error("listener {0}: no usable certificate is left, so every TLS handshake is refused")]
    NoCertificate(ListenerKey),
}

/// A set of trust anchors, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustName(pub TrustKey);

impl fmt::Display for TrustName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            TrustKey::ConfigMap(name) => write!(f, "ConfigMap {name}"),
            TrustKey::ClusterTrustBundle(name) => write!(f, "ClusterTrustBundle {name}"),
        }
    }
}

impl ListenerTls {
    /// Compiles the TLS settings of a listener; None when TLS does not end there. `keys` and
    /// `previous_keys` are the certificates of this snapshot and of the previous one.
    pub(crate) fn compile(
        listener: &Listener,
        configuration: &Configuration,
        keys: &mut CertifiedKeys,
        previous_keys: Option<&CertifiedKeys>,
        previous: Option<&Self>,
    ) -> (Option<Self>, Vec<TlsRefused>) {
        let Some(settings) = listener.protocol.termination() else { return (None, Vec::new()) };
        let mut refused = Vec::new();
        let mut certificates = Vec::new();
        for key in &settings.certificates {
            match keys.load(key, configuration, previous_keys, &PROVIDER) {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => refused.push(TlsRefused::Certificate {
                    listener: listener.key.clone(),
                    certificate: key.clone(),
                    error,
                }),
            }
        }
        if certificates.is_empty() {
            refused.push(TlsRefused::NoCertificate(listener.key.clone()));
        }
        let source = Source::gather(listener, settings, configuration);
        let roots = source.roots(listener, &mut refused);

        if let Some(same) = previous.filter(|previous| *previous.source == source) {
            // With the same tickets, so that sessions can be resumed.
            return (Some(same.clone()), refused);
        }
        let termination = if certificates.is_empty() {
            Termination::Refused
        } else {
            server_config(settings, source.http, CertificateChoice::new(certificates), roots)
                .map_or(Termination::Refused, |config| Termination::Ready(Arc::new(config).into()))
        };
        (Some(Self { termination, source: Arc::new(source) }), refused)
    }

    pub(crate) fn termination(&self) -> &Termination {
        &self.termination
    }
}

impl fmt::Debug for ListenerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerTls").field("settings", &self.source.settings).finish_non_exhaustive()
    }
}

impl Source {
    fn gather(listener: &Listener, settings: &TlsTermination, configuration: &Configuration) -> Self {
        let trust = settings.client_validation.iter().flat_map(|validation| &validation.trust);
        Self {
            http: matches!(listener.protocol, ListenerProtocol::Https(_)),
            settings: settings.clone(),
            certificates: settings
                .certificates
                .iter()
                .map(|key| configuration.certificates.get(key).cloned())
                .collect(),
            trust: trust.map(|key| configuration.trust_bundles.get(key).cloned()).collect(),
        }
    }

    fn roots(&self, listener: &Listener, refused: &mut Vec<TlsRefused>) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let keys = self.settings.client_validation.iter().flat_map(|validation| &validation.trust);
        for (key, bundle) in keys.zip(&self.trust) {
            let errors = match bundle {
                Some(bundle) => client_validation::roots(bundle, &mut roots),
                None => vec![TrustError::Missing],
            };
            refused.extend(errors.into_iter().map(|error| TlsRefused::Trust {
                listener: listener.key.clone(),
                trust: TrustName(key.clone()),
                error,
            }));
        }
        roots
    }
}

fn server_config(
    settings: &TlsTermination,
    http: bool,
    certificates: CertificateChoice,
    roots: RootCertStore,
) -> Result<ServerConfig, rustls::Error> {
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&PROVIDER)).with_safe_default_protocol_versions()?;
    let builder = match &settings.client_validation {
        None => builder.with_no_client_auth(),
        Some(validation) => {
            builder.with_client_cert_verifier(client_validation::verifier(validation.mode, roots, &PROVIDER))
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(certificates));
    if http {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    // Tickets alone: they serve all workers, and thousands of listeners need no cache each.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}
