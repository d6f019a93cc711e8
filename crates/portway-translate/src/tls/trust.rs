//! Trust anchors of ConfigMaps and ClusterTrustBundles, read and checked.

use std::sync::Arc;

use jiff::Timestamp;
use portway_api::core::ConfigMap;
use portway_config::key::TrustKey;
use portway_config::tls::TrustBundle;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use super::certificate::{Validity, parse_der};
use super::pem::{self, PemFault};

/// Key of a ConfigMap under which trust anchors stand.
pub(crate) const CA_ENTRY: &str = "ca.crt";

/// Trust anchors that can be used.
#[derive(Clone, Debug)]
pub(crate) struct CheckedBundle {
    /// What is used.
    pub(crate) bundle: Arc<TrustBundle>,
    /// When each of the anchors is valid.
    validities: Vec<Option<Validity>>,
}

impl CheckedBundle {
    /// When what [`Self::objections`] says changes next.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.validities.iter().flatten().filter_map(|it| it.next_change(now)).min()
    }

    /// What is wrong with the anchors at `now`, if anything is: completes "ConfigMap infra/ca: …".
    pub(crate) fn objections(&self, now: Timestamp) -> impl Iterator<Item = String> {
        let objection = move |(index, validity): (usize, &Option<Validity>)| {
            validity.and_then(|it| it.objection(now)).map(|what| format!("certificate {} {what}", index + 1))
        };
        self.validities.iter().enumerate().filter_map(objection)
    }
}

/// Why a bundle cannot be used. Completes the sentence "ConfigMap infra/ca …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TrustFault {
    /// The object does not exist.
    #[error("does not exist")]
    NotFound,
    /// It has no such entry, or an empty one.
    #[error("has no `{0}`")]
    NoEntry(&'static str),
    /// The entry is not PEM.
    #[error("cannot be used: `{0}` {1}")]
    Pem(&'static str, PemFault),
    /// The entry holds something else than X.509 certificates that can be anchors.
    #[error("cannot be used: certificate {1} of `{0}` is not one that can be trusted")]
    NotAnAnchor(&'static str, usize),
}

impl TrustFault {
    /// What to do.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::NotFound => "create it, or name another",
            Self::NoEntry(_) | Self::Pem(..) | Self::NotAnAnchor(..) => {
                "put the certificates of the authorities there, in PEM"
            }
        }
    }
}

/// The text of a ConfigMap's entry `ca.crt`.
pub(super) fn config_map_text(config_map: &ConfigMap) -> Option<&[u8]> {
    let text = config_map.data.as_ref().and_then(|it| it.get(CA_ENTRY)).map(String::as_bytes);
    text.or_else(|| config_map.binary_data.as_ref().and_then(|it| it.get(CA_ENTRY)).map(|it| &*it.0))
}

/// Reads and checks trust anchors. Where one of them cannot be used, none is: who leaves out what he
/// does not understand trusts others than the user named.
pub(super) fn read(key: TrustKey, entry: &'static str, text: &[u8]) -> Result<CheckedBundle, TrustFault> {
    let anchors = pem::certificates(text).map_err(|fault| TrustFault::Pem(entry, fault))?;
    let mut store = RootCertStore::empty();
    let mut validities = Vec::new();
    for (index, der) in anchors.iter().enumerate() {
        let refused = TrustFault::NotAnAnchor(entry, index + 1);
        let validity = parse_der(der).map(|certificate| Validity::of(&certificate)).ok_or(refused.clone())?;
        store.add(CertificateDer::from(&**der).into_owned()).map_err(|_| refused)?;
        validities.push(validity);
    }
    Ok(CheckedBundle { bundle: Arc::new(TrustBundle { key, anchors }), validities })
}

#[cfg(test)]
mod tests;
