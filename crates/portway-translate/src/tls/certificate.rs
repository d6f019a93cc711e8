//! A Secret's certificate and key, read and checked.

use std::sync::Arc;

use jiff::{Span, Timestamp};
use portway_api::core::Secret;
use portway_config::key::CertificateKey;
use portway_config::tls::Certificate;
use rustls_pki_types::PrivateKeyDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::pem::{self, PemFault};

/// Key of a Secret under which the chain stands (type `kubernetes.io/tls`).
pub(crate) const CERTIFICATE_ENTRY: &str = "tls.crt";
/// Key of a Secret under which the private key stands.
pub(crate) const PRIVATE_KEY_ENTRY: &str = "tls.key";

/// A certificate that can be served.
#[derive(Clone, Debug)]
pub(crate) struct CheckedCertificate {
    /// What is served.
    pub(crate) certificate: Arc<Certificate>,
    /// When.
    pub(crate) validity: Validity,
}

/// From when to when a certificate is valid, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Validity {
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let validity = certificate.validity();
        Some(Self {
            not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        })
    }

    /// What is wrong with a certificate of this validity at `now`, if anything is.
    pub(crate) fn objection(&self, now: Timestamp) -> Option<String> {
        if now > self.not_after {
            Some(format!("expired at {}", self.not_after))
        } else if now < self.not_before {
            Some(format!("is not valid before {}", self.not_before))
        } else {
            None
        }
    }

    /// When what [`Self::objection`] says changes next.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        // The last moment of validity is included.
        let expiry = self.not_after.checked_add(Span::new().nanoseconds(1)).ok();
        [Some(self.not_before), expiry].into_iter().flatten().find(|it| *it > now)
    }
}

/// Why a Secret cannot be served. Completes the sentence "Secret infra/tls …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateFault {
    /// It has no such entry, or an empty one.
    #[error("has no `{0}`")]
    NoEntry(&'static str),
    /// An entry is not PEM.
    #[error("cannot be used: `{0}` {1}")]
    Pem(&'static str, PemFault),
    /// An entry holds something else than an X.509 certificate.
    #[error("cannot be used: certificate {0} of `tls.crt` is not a valid X.509 certificate")]
    NotX509(usize),
    /// The key is of a kind that TLS cannot use.
    #[error("cannot be used: the private key in `tls.key` is broken or of an unsupported kind")]
    UnsupportedKey,
    /// The key is another one's.
    #[error(
        "cannot be used: the private key in `tls.key` does not belong to the first certificate in `tls.crt`"
    )]
    WrongKey,
    /// The key is that of a certificate further down.
    #[error(
        "cannot be used: the private key in `tls.key` belongs to certificate {0} of `tls.crt`, not to the first"
    )]
    WrongOrder(usize),
}

impl CertificateFault {
    /// What to do.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::NoEntry(_) => "a Secret of type kubernetes.io/tls has the entries tls.crt and tls.key",
            Self::Pem(..) | Self::NotX509(_) => {
                "put the certificate and its chain there in PEM, the leaf first"
            }
            Self::UnsupportedKey => {
                "use an RSA key of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519"
            }
            Self::WrongKey => "put the key there that the certificate was issued for",
            Self::WrongOrder(_) => "put the leaf certificate first",
        }
    }
}

/// Reads and checks the certificate that a Secret holds.
pub(super) fn read(key: CertificateKey, secret: &Secret) -> Result<CheckedCertificate, CertificateFault> {
    let chain = pem::certificates(&entry(secret, CERTIFICATE_ENTRY)?)
        .map_err(|fault| CertificateFault::Pem(CERTIFICATE_ENTRY, fault))?;
    let (key_der, private_key) = pem::private_key(&entry(secret, PRIVATE_KEY_ENTRY)?)
        .map_err(|fault| CertificateFault::Pem(PRIVATE_KEY_ENTRY, fault))?;
    let parsed = parse_chain(&chain)?;
    check_pair(&parsed, &key_der)?;
    // The chain is never empty: `pem::certificates` yields one at least.
    let leaf = parsed.first().ok_or(CertificateFault::NotX509(1))?;
    let dns_names = dns_names(leaf);
    let validity = Validity::of(leaf).ok_or(CertificateFault::NotX509(1))?;
    let certificate = Arc::new(Certificate { key, chain: chain.clone(), private_key, dns_names });
    Ok(CheckedCertificate { certificate, validity })
}

/// An entry of a Secret. `stringData` wins over `data`, as it does when the API server merges them.
fn entry(secret: &Secret, name: &'static str) -> Result<Vec<u8>, CertificateFault> {
    let text = secret.string_data.as_ref().and_then(|it| it.get(name)).map(|it| it.as_bytes().to_vec());
    let data = || secret.data.as_ref().and_then(|it| it.get(name)).map(|it| it.0.clone());
    text.or_else(data).filter(|it| !it.is_empty()).ok_or(CertificateFault::NoEntry(name))
}

fn parse_chain(chain: &[Arc<[u8]>]) -> Result<Vec<X509Certificate<'_>>, CertificateFault> {
    let parse = |(index, der)| parse_der(der).ok_or(CertificateFault::NotX509(index + 1));
    chain.iter().map(|der| &**der).enumerate().map(parse).collect()
}

/// One certificate, with nothing behind it.
pub(super) fn parse_der(der: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(der)
        .ok()
        .filter(|(rest, _)| rest.is_empty())
        .map(|(_, certificate)| certificate)
}

/// Whether the key is the leaf's: their public keys are the same.
fn check_pair(chain: &[X509Certificate<'_>], key: &PrivateKeyDer<'_>) -> Result<(), CertificateFault> {
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(key)
        .map_err(|_| CertificateFault::UnsupportedKey)?;
    let public = signer.public_key().ok_or(CertificateFault::UnsupportedKey)?;
    match chain.iter().position(|certificate| certificate.public_key().raw == public.as_ref()) {
        Some(0) => Ok(()),
        Some(index) => Err(CertificateFault::WrongOrder(index + 1)),
        None => Err(CertificateFault::WrongKey),
    }
}

/// The DNS names of a leaf, in lower case. One without any alternative name is known by its common
/// name: clients no longer accept that (RFC 9525), but some proxies and scripts still do.
fn dns_names(leaf: &X509Certificate<'_>) -> Vec<Arc<str>> {
    let alternatives = leaf.subject_alternative_name().ok().flatten();
    let names: Vec<&str> = match &alternatives {
        Some(extension) => extension
            .value
            .general_names
            .iter()
            .filter_map(|name| if let GeneralName::DNSName(dns) = name { Some(*dns) } else { None })
            .collect(),
        None => leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect(),
    };
    let mut names: Vec<Arc<str>> = names.into_iter().map(|name| name.to_ascii_lowercase().into()).collect();
    names.dedup();
    names
}

/// Whether a certificate with this DNS name covers `host`, exact or `*.` before others: a wildcard of
/// a certificate stands for exactly one label (RFC 9525, section 6.3).
pub(crate) fn name_covers(name: &str, host: &str) -> bool {
    if name == host {
        return true;
    }
    let Some(parent) = name.strip_prefix("*.") else { return false };
    host.split_once('.').is_some_and(|(label, rest)| label != "*" && !label.is_empty() && rest == parent)
}

#[cfg(test)]
mod tests;
