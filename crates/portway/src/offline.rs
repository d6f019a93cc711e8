//! Manifests, read and translated once: what `check` and `explain` ask.

use std::path::PathBuf;

use jiff::Timestamp;
use portway_api::manifest::{self, Reading};
use portway_api::{ObjectKey, Snapshot};
use portway_translate::{Controllers, Finding, FindingCode, Options, Translation, translate};

use crate::endpoints;
use crate::issue::{Issue, Origins};

/// Manifests with what they mean.
#[derive(Debug)]
pub(crate) struct Offline {
    /// Number of files.
    pub(crate) files: usize,
    /// Number of objects that can be used.
    pub(crate) objects: usize,
    pub(crate) origins: Origins,
    pub(crate) snapshot: Snapshot,
    pub(crate) translation: Translation,
    /// Of reading and of translation, not sorted yet.
    pub(crate) issues: Vec<Issue>,
}

impl Offline {
    /// Reads and translates.
    pub(crate) fn read(paths: &[PathBuf], now: Timestamp) -> Self {
        let loaded = manifest::load(paths);
        let Reading { objects, problems } = loaded.read();
        let mut issues: Vec<_> = problems.into_iter().map(Issue::from).collect();
        let (mut snapshot, mut origins) = (Snapshot::default(), Origins::default());
        let count = objects.len();
        origins.note_errors(&issues);
        for (object, origin) in objects {
            origins.insert(object.object_ref(), origin);
            snapshot.insert(object);
        }
        let translation = translate(&snapshot, &options(now));
        let findings =
            translation.findings.iter().filter(|finding| !is_left_to_a_cluster(finding, &snapshot));
        issues.extend(findings.map(|finding| Issue::found(finding, &origins)));
        Self { files: loaded.texts.len(), objects: count, origins, snapshot, translation, issues }
    }
}

/// Whether a finding would be gone in a cluster, which finds the endpoints of a selector by itself. That manifests name
/// none is as it should be; `portway run`, without a cluster, tells of it.
fn is_left_to_a_cluster(finding: &Finding, snapshot: &Snapshot) -> bool {
    if finding.code != FindingCode::NoEndpoints {
        return false;
    }
    let key =
        ObjectKey::new(finding.object.namespace.clone().unwrap_or_default(), finding.object.name.clone());
    let selector = snapshot.services.get(&key).and_then(|it| it.spec.as_ref()?.selector.as_ref());
    selector.is_some_and(|selector| !selector.is_empty()) && !endpoints::has_endpoints(snapshot, &key)
}

/// As `portway run` translates by default.
fn options(now: Timestamp) -> Options {
    Options {
        controllers: Controllers::Any,
        now,
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: vec![std::net::Ipv4Addr::LOCALHOST.into()],
        cluster: None,
    }
}
