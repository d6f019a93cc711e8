//! Certificates with their keys, as the TLS library wants them, and which of them a client is shown.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use portway_config::Configuration;
use portway_config::key::CertificateKey;
use portway_config::tls::{Certificate, PrivateKeyEncoding};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Why a certificate cannot be shown.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CertificateError {
    /// It is not in the configuration.
    #[error("there is no such certificate")]
    Missing,
    /// The TLS library refuses it.
    #[error("the certificate or its key cannot be used: {0}")]
    Unusable(rustls::Error),
}

/// The certificates of a Gateway with their keys ready to sign. Reading a key takes long enough that
/// those which did not change are taken over from the previous snapshot.
#[derive(Debug, Default)]
pub(crate) struct CertifiedKeys {
    ready: HashMap<CertificateKey, (Arc<Certificate>, Loaded)>,
}

type Loaded = Result<Arc<CertifiedKey>, CertificateError>;

impl CertifiedKeys {
    /// The certificate `key` of `configuration`, read once.
    pub(crate) fn load(
        &mut self,
        key: &CertificateKey,
        configuration: &Configuration,
        previous: Option<&Self>,
        provider: &CryptoProvider,
    ) -> Result<(Arc<Certificate>, Arc<CertifiedKey>), CertificateError> {
        let certificate = configuration.certificates.get(key).ok_or(CertificateError::Missing)?;
        if let Some((certificate, loaded)) = self.ready.get(key) {
            return loaded.clone().map(|loaded| (Arc::clone(certificate), loaded));
        }
        let loaded = match previous.and_then(|previous| previous.ready.get(key)) {
            Some((same, loaded)) if same == certificate => loaded.clone(),
            _ => read(certificate, provider),
        };
        self.ready.insert(key.clone(), (Arc::clone(certificate), loaded.clone()));
        loaded.map(|loaded| (Arc::clone(certificate), loaded))
    }
}

fn read(certificate: &Certificate, provider: &CryptoProvider) -> Loaded {
    let chain = certificate.chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    let (der, encoding) = certificate.private_key.expose();
    let der = der.to_vec();
    let key = match encoding {
        PrivateKeyEncoding::Pkcs1 => PrivateKeyDer::Pkcs1(der.into()),
        PrivateKeyEncoding::Pkcs8 => PrivateKeyDer::Pkcs8(der.into()),
        PrivateKeyEncoding::Sec1 => PrivateKeyDer::Sec1(der.into()),
    };
    CertifiedKey::from_der(chain, key, provider).map(Arc::new).map_err(CertificateError::Unusable)
}

/// Chooses the certificate for a server name: one with exactly this name, else one whose wildcard covers
/// it, else the listener's first. Among several it takes the first whose key the client can verify, so
/// that an RSA certificate may stand beside one with an elliptic curve.
pub(crate) struct CertificateChoice {
    all: Vec<Arc<CertifiedKey>>,
    exact: HashMap<Arc<str>, Vec<usize>>,
    /// By the domain below the asterisk, which stands for one label (RFC 9525, section 6.3).
    wildcard: HashMap<Box<str>, Vec<usize>>,
}

impl CertificateChoice {
    pub(crate) fn new(certificates: Vec<(Arc<Certificate>, Arc<CertifiedKey>)>) -> Self {
        let mut choice = Self { all: Vec::new(), exact: HashMap::new(), wildcard: HashMap::new() };
        for (index, (certificate, key)) in certificates.into_iter().enumerate() {
            for name in &certificate.dns_names {
                let by_name = match name.strip_prefix("*.") {
                    Some(domain) => choice.wildcard.entry(domain.into()).or_default(),
                    None => choice.exact.entry(Arc::clone(name)).or_default(),
                };
                by_name.push(index);
            }
            choice.all.push(key);
        }
        choice
    }

    /// Certificates for a server name, in order of preference.
    fn candidates(&self, server_name: Option<&str>) -> &[usize] {
        let by_name = server_name.and_then(|name| {
            let wildcard = || self.wildcard.get(name.split_once('.')?.1);
            self.exact.get(name).or_else(wildcard)
        });
        by_name.map_or(&[0], Vec::as_slice)
    }
}

impl ResolvesServerCert for CertificateChoice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let candidates = self.candidates(hello.server_name()).iter().filter_map(|index| self.all.get(*index));
        candidates
            .clone()
            .find(|it| it.key.choose_scheme(hello.signature_schemes()).is_some())
            .or_else(|| candidates.clone().next())
            .cloned()
    }
}

impl fmt::Debug for CertificateChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateChoice")
            .field("exact", &self.exact)
            .field("wildcard", &self.wildcard)
            .finish_non_exhaustive()
    }
}
