//! All TLS material of a snapshot, read at most once; a certificate at most once for all the translations that are
//! handed the same [`KnownCertificates`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use portway_api::core::Secret;
use portway_api::{ObjectKey, Snapshot};
use portway_config::NamespacedName;
use portway_config::key::{CertificateKey, TrustKey};
use portway_config::tls::Certificate;

use super::certificate::{self, CertificateFault, CheckedCertificate};
use super::trust::{self, CA_ENTRY, CheckedBundle, TrustFault};

/// What the certificates of the last translation were read from, and what came of it. It saves work and changes no
/// result: what a Secret holds is the same whenever it is read, and everything that depends on the time or on other
/// objects is decided anew.
#[derive(Clone, Default)]
pub(crate) struct KnownCertificates(BTreeMap<ObjectKey, KnownCertificate>);

#[derive(Clone)]
struct KnownCertificate {
    secret: Arc<Secret>,
    checked: Result<CheckedCertificate, CertificateFault>,
}

/// Names alone: what Secrets hold is not for logs.
impl fmt::Debug for KnownCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl KnownCertificates {
    /// What is known of the certificate of this Secret.
    fn take(&mut self, key: &ObjectKey, secret: &Arc<Secret>) -> Option<KnownCertificate> {
        let known = self.0.remove(key)?;
        // A watch that begins anew, and a file that is read again, give new objects with the same content.
        let is_same = Arc::ptr_eq(&known.secret, secret)
            || (known.secret.data == secret.data && known.secret.string_data == secret.string_data);
        is_same.then(|| KnownCertificate { secret: Arc::clone(secret), ..known })
    }
}

/// All TLS material of a snapshot. Checking a key costs tens of microseconds and more, and hundreds of listeners
/// may share one certificate; so what was read is kept.
#[derive(Debug)]
pub(crate) struct TlsMaterial<'a> {
    snapshot: &'a Snapshot,
    before: RefCell<KnownCertificates>,
    certificates: RefCell<KnownCertificates>,
    bundles: RefCell<BTreeMap<TrustKey, Result<CheckedBundle, TrustFault>>>,
}

impl<'a> TlsMaterial<'a> {
    /// Reads nothing yet.
    pub(crate) fn new(snapshot: &'a Snapshot, before: KnownCertificates) -> Self {
        Self {
            snapshot,
            before: RefCell::new(before),
            certificates: RefCell::default(),
            bundles: RefCell::default(),
        }
    }

    /// The certificates that were asked for.
    pub(crate) fn into_known(self) -> KnownCertificates {
        self.certificates.into_inner()
    }

    /// The certificate of a Secret; `None` where there is no such Secret.
    pub(crate) fn certificate(
        &self,
        key: &ObjectKey,
    ) -> Option<Result<CheckedCertificate, CertificateFault>> {
        let secret = self.snapshot.secrets.get(key)?;
        let mut known = self.certificates.borrow_mut();
        let read = known.0.entry(key.clone()).or_insert_with(|| {
            self.before.borrow_mut().take(key, secret).unwrap_or_else(|| {
                let name = CertificateKey(NamespacedName::new(&*key.namespace, &*key.name));
                KnownCertificate { secret: Arc::clone(secret), checked: certificate::read(name, secret) }
            })
        });
        Some(read.checked.clone())
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
