//! TLS towards backends (GEP-1897).

use std::fmt;
use std::sync::{Arc, OnceLock};

use portway_config::Configuration;
use portway_config::backend::{BackendTlsSettings, BackendTrust, SubjectAltName};
use portway_config::route::FaultReason;
use portway_config::tls::{Certificate, PrivateKeyEncoding};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;
use x509_parser::extensions::GeneralName;

/// TLS settings towards one backend, compiled.
#[derive(Clone)]
pub(super) struct ClientTls {
    pub(super) connector: TlsConnector,
    pub(super) server_name: ServerName<'static>,
    source: Arc<Source>,
}

/// What it was compiled from; equal sources make equal settings.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    settings: BackendTlsSettings,
    anchors: Vec<Arc<[u8]>>,
    client_certificate: Option<Arc<Certificate>>,
}

/// Why no connection may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsRefused {
    pub(super) reason: FaultReason,
    pub(super) message: Arc<str>,
}

impl TlsRefused {
    fn invalid(message: impl fmt::Display) -> Self {
        Self { reason: FaultReason::InvalidBackendTls, message: message.to_string().into() }
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("settings", &self.source.settings).finish_non_exhaustive()
    }
}

impl ClientTls {
    pub(super) fn compile(
        settings: &BackendTlsSettings,
        alpn: &[&[u8]],
        configuration: &Configuration,
    ) -> Result<Self, TlsRefused> {
        let source = Source::gather(settings, configuration)?;
        let server_name = ServerName::try_from(settings.server_name.to_string())
            .map_err(|_| TlsRefused::invalid(format_args!("{:?} is no server name", settings.server_name)))?;
        let verifier = verifier(&source)?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsRefused::invalid)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &source.client_certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let chain = certificate.chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
                builder
                    .with_client_auth_cert(chain, private_key(certificate))
                    .map_err(|error| TlsRefused::invalid(format_args!("client certificate: {error}")))?
            }
        };
        config.alpn_protocols = alpn.iter().map(|it| it.to_vec()).collect();
        Ok(Self { connector: Arc::new(config).into(), server_name, source: Arc::new(source) })
    }

    /// Whether both were compiled from the same settings and certificates.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Source {
    fn gather(settings: &BackendTlsSettings, configuration: &Configuration) -> Result<Self, TlsRefused> {
        let mut anchors = Vec::new();
        if let BackendTrust::Bundles(keys) = &settings.trust {
            for key in keys {
                let bundle = configuration.trust_bundles.get(key);
                anchors.extend(bundle.into_iter().flat_map(|it| it.anchors.iter().cloned()));
            }
            if anchors.is_empty() {
                return Err(TlsRefused::invalid("no trust anchor is left to verify the backend with"));
            }
        }
        let client_certificate = match &settings.client_certificate {
            None => None,
            Some(key) => Some(configuration.certificates.get(key).cloned().ok_or_else(|| {
                TlsRefused::invalid(format_args!("client certificate {} is missing", key.0))
            })?),
        };
        Ok(Self { settings: settings.clone(), anchors, client_certificate })
    }
}

fn private_key(certificate: &Certificate) -> PrivateKeyDer<'static> {
    let (der, encoding) = certificate.private_key.expose();
    let der = der.to_vec();
    match encoding {
        PrivateKeyEncoding::Pkcs1 => PrivateKeyDer::Pkcs1(der.into()),
        PrivateKeyEncoding::Pkcs8 => PrivateKeyDer::Pkcs8(der.into()),
        PrivateKeyEncoding::Sec1 => PrivateKeyDer::Sec1(der.into()),
    }
}

fn verifier(source: &Source) -> Result<Arc<dyn ServerCertVerifier>, TlsRefused> {
    let roots = match &source.settings.trust {
        BackendTrust::System => system_roots(),
        BackendTrust::Bundles(_) => {
            let mut roots = RootCertStore::empty();
            let (added, _) = roots.add_parsable_certificates(
                source.anchors.iter().map(|der| CertificateDer::from(der.to_vec())),
            );
            if added == 0 {
                return Err(TlsRefused::invalid("no trust anchor could be read"));
            }
            Arc::new(roots)
        }
    };
    if roots.is_empty() {
        return Err(TlsRefused::invalid("the system has no trust anchors; install ca-certificates"));
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider)
        .build()
        .map_err(TlsRefused::invalid)?;
    Ok(match source.settings.subject_alt_names.as_slice() {
        [] => chain,
        names => Arc::new(SubjectAltNameVerifier { chain, roots, names: names.to_vec() }),
    })
}

/// The anchors of the system are read once: a change of them needs a restart, as everywhere.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    Arc::clone(ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    }))
}

/// Verifies the chain as usual, but the certificate must have one of the given names instead of the
/// server name that was sent.
#[derive(Debug)]
struct SubjectAltNameVerifier {
    chain: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
    names: Vec<SubjectAltName>,
}

impl ServerCertVerifier for SubjectAltNameVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        rustls::client::verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            aws_lc_rs::default_provider().signature_verification_algorithms.all,
        )?;
        let fits = self.names.iter().any(|name| match name {
            SubjectAltName::Dns(name) => ServerName::try_from(&**name)
                .is_ok_and(|name| rustls::client::verify_server_name(&certificate, &name).is_ok()),
            SubjectAltName::Uri(uri) => has_uri(end_entity, uri),
        });
        if fits { Ok(ServerCertVerified::assertion()) } else { Err(CertificateError::NotValidForName.into()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// URIs are compared as a whole, byte by byte.
fn has_uri(certificate: &CertificateDer<'_>, uri: &str) -> bool {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else { return false };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| matches!(name, GeneralName::URI(it) if *it == uri))
}
