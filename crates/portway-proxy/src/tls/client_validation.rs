//! Validation of client certificates (GEP-91).

use std::sync::Arc;

use portway_config::listener::ClientValidationMode;
use portway_config::tls::TrustBundle;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

/// Why a trust anchor is left out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrustError {
    /// It is not in the configuration.
    #[error("there is no such set of trust anchors")]
    Missing,
    /// A certificate of the set cannot be a trust anchor.
    #[error("certificate {index} cannot be a trust anchor: {error}")]
    Unusable {
        /// Index of the certificate in the set.
        index: usize,
        /// What the TLS library says.
        error: Error,
    },
}

/// Reads trust anchors. Each that cannot be read is left out: fewer clients are let in then, not more.
pub(super) fn roots(bundle: &TrustBundle, roots: &mut RootCertStore) -> Vec<TrustError> {
    let mut errors = Vec::new();
    for (index, der) in bundle.anchors.iter().enumerate() {
        if let Err(error) = roots.add(CertificateDer::from(der.to_vec())) {
            errors.push(TrustError::Unusable { index, error });
        }
    }
    errors
}

/// What verifies the certificates of a listener's clients.
pub(super) fn verifier(
    mode: ClientValidationMode,
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Arc<dyn ClientCertVerifier> {
    let decision = match mode {
        ClientValidationMode::AllowInsecureFallback => Decision::AllowAll,
        ClientValidationMode::AllowValidOnly => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
            match verifier {
                Ok(verifier) => return verifier,
                // There is no trust anchor, so no certificate can be valid.
                Err(_) => Decision::RefuseAll,
            }
        }
    };
    Arc::new(FixedVerifier { decision, provider: Arc::clone(provider) })
}

/// Decides without a look at who signed the certificate.
#[derive(Debug)]
struct FixedVerifier {
    decision: Decision,
    provider: Arc<CryptoProvider>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// Asks for a certificate, and takes any, and none.
    AllowAll,
    RefuseAll,
}

impl ClientCertVerifier for FixedVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.decision == Decision::RefuseAll
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.decision {
            Decision::AllowAll => Ok(ClientCertVerified::assertion()),
            Decision::RefuseAll => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    // Even where any certificate will do, its owner must have the key: a signature that does not fit is a
    // broken handshake, not a certificate without validity.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
