//! What every step of translation reads, and what it writes to.

use std::collections::BTreeMap;

use portway_api::{ObjectKey, Snapshot};
use portway_config::Configuration;

use crate::backend::BackendTlsPolicies;
use crate::condition::Conditions;
use crate::expressions::Expressions;
use crate::finding::Finding;
use crate::options::Options;
use crate::reference_grant::Grants;
use crate::status::Statuses;
use crate::tls::TlsMaterial;

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
}

impl<'a> Context<'a> {
    /// For one translation.
    pub(crate) fn new(snapshot: &'a Snapshot, options: &'a Options) -> Self {
        Self {
            snapshot,
            options,
            grants: Grants::new(snapshot),
            tls: TlsMaterial::new(snapshot),
            backend_tls: BackendTlsPolicies::new(snapshot),
            expressions: Expressions::default(),
        }
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
