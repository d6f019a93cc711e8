//! What every step of translation reads, and what it writes to.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::core::Service;
use portway_api::{ObjectKey, Snapshot};
use portway_config::Configuration;

use crate::backend::BackendTlsPolicies;
use crate::condition::Conditions;
use crate::expressions::Expressions;
use crate::finding::Finding;
use crate::options::Options;
use crate::reference_grant::Grants;
use crate::status::Statuses;
use crate::tls::{CheckedBundle, KnownCertificates, TlsMaterial, Validity};

/// What every step of translation reads.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    /// The objects.
    pub(crate) snapshot: &'a Snapshot,
    /// What changes with time and place.
    pub(crate) options: &'a Options,
    /// Which references may cross namespaces.
    pub(crate) grants: Grants<'a>,
    /// Certificates and trust anchors, checked.
    pub(crate) tls: TlsMaterial<'a>,
    /// Which Services are to be spoken to by TLS.
    pub(crate) backend_tls: BackendTlsPolicies<'a>,
    /// Regular expressions, compiled.
    pub(crate) expressions: Expressions,
    /// When the first of the certificates that matter begins or ends to be valid.
    next_change: Cell<Option<Timestamp>>,
    /// The Services that references have led to, there or not, since somebody last asked.
    asked: RefCell<BTreeSet<ObjectKey>>,
}

impl<'a> Context<'a> {
    /// For one translation.
    pub(crate) fn new(snapshot: &'a Snapshot, options: &'a Options, known: KnownCertificates) -> Self {
        Self {
            snapshot,
            options,
            grants: Grants::new(snapshot),
            tls: TlsMaterial::new(snapshot, known),
            backend_tls: BackendTlsPolicies::new(snapshot),
            expressions: Expressions::default(),
            next_change: Cell::new(None),
            asked: RefCell::default(),
        }
    }

    /// The Service that a reference leads to. What comes of the reference depends on it from now on.
    pub(crate) fn service(&self, key: &ObjectKey) -> Option<&'a Arc<Service>> {
        self.asked.borrow_mut().insert(key.clone());
        self.snapshot.services.get(key)
    }

    /// The Services that were asked for since the last call.
    pub(crate) fn take_asked(&self) -> BTreeSet<ObjectKey> {
        self.asked.take()
    }

    /// What is wrong with a certificate by the time alone, if anything is.
    pub(crate) fn objection(&self, validity: &Validity) -> Option<String> {
        self.changes_at(validity.next_change(self.options.now));
        validity.objection(self.options.now)
    }

    /// What is wrong with trust anchors by the time alone.
    pub(crate) fn objections(&self, bundle: &CheckedBundle) -> impl Iterator<Item = String> {
        self.changes_at(bundle.next_change(self.options.now));
        bundle.objections(self.options.now)
    }

    fn changes_at(&self, moment: Option<Timestamp>) {
        self.next_change.set(self.next_change().into_iter().chain(moment).min());
    }

    /// When the result of this translation changes by the time alone, as far as it was asked for until now.
    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        self.next_change.get()
    }

    /// Conditions of an object of this generation, none yet.
    pub(crate) fn conditions(&self, generation: i64) -> Conditions {
        Conditions::new(generation, self.options.now)
    }
}

/// What translation yields, while it grows.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// One for each Gateway that is ours and accepted. Listeners are put in at the end.
    pub(crate) configurations: BTreeMap<ObjectKey, Configuration>,
    /// Statuses.
    pub(crate) statuses: Statuses,
    /// Findings, in any order.
    pub(crate) findings: Vec<Finding>,
}

impl Output {
    /// Adds a finding.
    pub(crate) fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}
