//! Manifests, read and translated once: what `check` and `explain` ask.

use std::path::PathBuf;

use jiff::Timestamp;
use portway_api::Snapshot;
use portway_api::manifest::{self, Reading};
use portway_translate::{Controllers, Options, Translation, translate};

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
        for (object, origin) in objects {
            origins.insert(object.object_ref(), origin);
            snapshot.insert(object);
        }
        let translation = translate(&snapshot, &options(now));
        issues.extend(translation.findings.iter().map(|finding| Issue::found(finding, &origins)));
        Self { files: loaded.texts.len(), objects: count, origins, snapshot, translation, issues }
    }
}

/// As `portway run` translates by default.
fn options(now: Timestamp) -> Options {
    Options {
        controllers: Controllers::Any,
        now,
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: vec![std::net::Ipv4Addr::LOCALHOST.into()],
    }
}
