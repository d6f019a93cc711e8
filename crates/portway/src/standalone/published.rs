//! What is served, for everybody who asks.

use std::sync::Arc;

use jiff::Timestamp;
use portway_config::Revision;
use portway_proxy::snapshot::{Binding, GatewaySnapshot};
use portway_translate::Statuses;

use crate::issue::Issue;
use crate::live::RefusedFile;

/// What is served. One is made for each reading of the manifests that differed from the one before.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) revision: Revision,
    /// Since when this revision is served.
    pub(crate) since: Timestamp,
    pub(crate) gateways: Vec<Arc<GatewaySnapshot>>,
    /// Of their sockets, those that the system refused.
    pub(crate) refused_sockets: Vec<Binding>,
    pub(crate) statuses: Statuses,
    /// Sorted. Without those of refused files.
    pub(crate) issues: Vec<Issue>,
    pub(crate) refused: Vec<RefusedFile>,
}

impl Published {
    /// All issues with those of refused files, sorted.
    pub(crate) fn all_issues(&self) -> Vec<Issue> {
        let of_files = self.refused.iter().flat_map(|file| &file.problems);
        let mut all: Vec<_> = self.issues.iter().chain(of_files).cloned().collect();
        all.sort();
        all.dedup();
        all
    }
}
