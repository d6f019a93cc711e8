//! Sections of PEM text.

use std::sync::Arc;

use portway_config::tls::{PrivateKey, PrivateKeyEncoding};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why a text is not what it should be. Completes the sentence "`tls.crt` …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PemFault {
    /// No section of this kind.
    #[error("holds no {0} in PEM")]
    Nothing(&'static str),
    /// A section begins and does not end.
    #[error("is cut off: a PEM section has no END line")]
    CutOff,
    /// A section is not base64, or its first line is not one of PEM.
    #[error("is not valid PEM")]
    Malformed,
}

impl PemFault {
    fn from(error: &pem::Error, what: &'static str) -> Self {
        match error {
            pem::Error::NoItemsFound => Self::Nothing(what),
            pem::Error::MissingSectionEnd { .. } => Self::CutOff,
            _ => Self::Malformed,
        }
    }
}

/// All certificates of a text, in their order; at least one.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<Arc<[u8]>>, PemFault> {
    const WHAT: &str = "certificate";
    let mut certificates = Vec::new();
    for item in CertificateDer::pem_slice_iter(text) {
        let item = item.map_err(|error| PemFault::from(&error, WHAT))?;
        certificates.push(Arc::from(item.as_ref()));
    }
    if certificates.is_empty() { Err(PemFault::Nothing(WHAT)) } else { Ok(certificates) }
}

/// The first private key of a text.
pub(super) fn private_key(text: &[u8]) -> Result<(PrivateKeyDer<'static>, PrivateKey), PemFault> {
    const WHAT: &str = "private key";
    let key = PrivateKeyDer::from_pem_slice(text).map_err(|error| PemFault::from(&error, WHAT))?;
    let encoding = match key {
        PrivateKeyDer::Pkcs1(_) => PrivateKeyEncoding::Pkcs1,
        PrivateKeyDer::Sec1(_) => PrivateKeyEncoding::Sec1,
        PrivateKeyDer::Pkcs8(_) => PrivateKeyEncoding::Pkcs8,
        // The type may grow; what we cannot hand on we do not have.
        _ => return Err(PemFault::Nothing(WHAT)),
    };
    let held = PrivateKey::new(key.secret_der(), encoding);
    Ok((key, held))
}
