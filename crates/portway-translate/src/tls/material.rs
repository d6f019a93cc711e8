//! All TLS material of a snapshot, read at most once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use portway_api::{ObjectKey, Snapshot};
use portway_config::NamespacedName;
use portway_config::key::{CertificateKey, TrustKey};
use portway_config::tls::Certificate;

use super::certificate::{self, CertificateFault, CheckedCertificate};
use super::trust::{self, CA_ENTRY, CheckedBundle, TrustFault};

/// All TLS material of a snapshot. Checking a key costs tens of microseconds and more, and hundreds of listeners
/// may share one certificate; so what was read is kept.
#[derive(Debug)]
pub(crate) struct TlsMaterial<'a> {
    snapshot: &'a Snapshot,
    certificates: RefCell<BTreeMap<ObjectKey, Result<CheckedCertificate, CertificateFault>>>,
    bundles: RefCell<BTreeMap<TrustKey, Result<CheckedBundle, TrustFault>>>,
}

impl<'a> TlsMaterial<'a> {
    /// Reads nothing yet.
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, certificates: RefCell::default(), bundles: RefCell::default() }
    }

    /// The certificate of a Secret; `None` where there is no such Secret.
    pub(crate) fn certificate(
        &self,
        key: &ObjectKey,
    ) -> Option<Result<CheckedCertificate, CertificateFault>> {
        let secret = self.snapshot.secrets.get(key)?;
        let mut known = self.certificates.borrow_mut();
        let read = known.entry(key.clone()).or_insert_with(|| {
            certificate::read(CertificateKey(NamespacedName::new(&*key.namespace, &*key.name)), secret)
        });
        Some(read.clone())
    }

    /// The certificate behind a key that a listener or a backend names.
    pub(crate) fn served(&self, key: &CertificateKey) -> Option<Arc<Certificate>> {
        let checked = self.certificate(&ObjectKey::new(&*key.0.namespace, &*key.0.name))?;
        checked.ok().map(|it| it.certificate)
    }

    /// The trust anchors of a ConfigMap (`ca.crt`) or a ClusterTrustBundle.
    pub(crate) fn trust(&self, key: &TrustKey) -> Result<CheckedBundle, TrustFault> {
        let mut known = self.bundles.borrow_mut();
        known.entry(key.clone()).or_insert_with(|| self.read_trust(key)).clone()
    }

    fn read_trust(&self, key: &TrustKey) -> Result<CheckedBundle, TrustFault> {
        match key {
            TrustKey::ConfigMap(name) => {
                let object = ObjectKey::new(&*name.namespace, &*name.name);
                let config_map = self.snapshot.config_maps.get(&object).ok_or(TrustFault::NotFound)?;
                let text = trust::config_map_text(config_map).filter(|it| !it.is_empty());
                trust::read(key.clone(), CA_ENTRY, text.ok_or(TrustFault::NoEntry(CA_ENTRY))?)
            }
            TrustKey::ClusterTrustBundle(name) => {
                let bundle = self.snapshot.cluster_trust_bundles.get(&**name).ok_or(TrustFault::NotFound)?;
                let text = bundle.spec.trust_bundle.as_bytes();
                if text.is_empty() {
                    return Err(TrustFault::NoEntry("spec.trustBundle"));
                }
                trust::read(key.clone(), "spec.trustBundle", text)
            }
        }
    }
}
