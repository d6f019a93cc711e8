//! Manifests that change while they are served.
//!
//! A bad file never replaces a good one. Of a file with an error, whatever the error, all objects keep the version of
//! the last reading of that file that had none; other files go on. A file that never was good gives what can be used
//! of it, as it does to `portway check`. A file that is gone takes its objects with it.

mod edition;
mod texts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use portway_api::Snapshot;
use portway_api::manifest::{Reading, Source, read};
use portway_api::object::ObjectRef;

use self::edition::{Contribution, merge};
pub(crate) use self::edition::{Edition, RefusedFile};
use self::texts::{Texts, TextsReader};
use crate::issue::Issue;

/// Manifests that change while they are served.
#[derive(Debug)]
pub(crate) struct LiveManifests {
    reader: TextsReader,
    /// The hash of the last texts.
    seen: Option<u64>,
    /// Of each file the objects of its last good version, and since when it is the last.
    good: BTreeMap<Source, Good>,
    /// Which file each object came from.
    owners: BTreeMap<ObjectRef, Source>,
    /// When each refused file was first found to be bad.
    refused_since: BTreeMap<Source, Timestamp>,
    /// What is served; kept objects are taken from here.
    snapshot: Snapshot,
}

/// The last good version of a file.
#[derive(Clone, Debug)]
struct Good {
    objects: Vec<ObjectRef>,
    read: Timestamp,
}

impl LiveManifests {
    /// Reads nothing yet.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            reader: TextsReader::new(paths),
            seen: None,
            good: BTreeMap::new(),
            owners: BTreeMap::new(),
            refused_since: BTreeMap::new(),
            snapshot: Snapshot::default(),
        }
    }

    /// The files and directories that are read, without standard input.
    pub(crate) fn paths(&self) -> &[PathBuf] {
        self.reader.paths()
    }

    /// Lets the next reading be different from the last, whatever the files say.
    pub(crate) fn forget(&mut self) {
        self.seen = None;
    }

    /// Reads all files. None: nothing is different.
    pub(crate) fn read(&mut self, now: Timestamp) -> Option<Edition> {
        let texts = self.reader.read();
        let hash = texts.content_hash();
        if self.seen.replace(hash) == Some(hash) {
            return None;
        }
        let files = texts.texts.len();
        let edition = merge(self.contributions(texts), &self.owners, &self.snapshot);
        self.remember(&edition, now);
        let refused = edition.refused.into_iter().map(|(source, problems)| RefusedFile {
            since: self.refused_since.get(&source).copied().unwrap_or(now),
            serving_since: self.good.get(&source).map(|good| good.read),
            source,
            problems,
        });
        let refused = refused.collect();
        Some(Edition {
            snapshot: edition.snapshot,
            origins: edition.origins,
            issues: edition.issues,
            refused,
            files,
        })
    }

    /// What each file has to give.
    fn contributions(&self, texts: Texts) -> Vec<Contribution> {
        let mut contributions = Vec::new();
        for text in &texts.texts {
            let Reading { objects, problems } = read(&text.source, &text.text);
            let issues = problems.into_iter().map(Issue::from).collect();
            let last_good = self.good.get(&text.source).map(|good| good.objects.clone());
            contributions.push(Contribution { source: text.source.clone(), objects, issues, last_good });
        }
        for problem in texts.problems {
            let unreadable = problem.position.as_ref().map(|position| position.source.clone());
            let issue = Issue::from(problem);
            let Some(unreadable) = unreadable else { continue };
            let mut hit = self.good.iter().filter(|(source, _)| is_below(source, &unreadable)).peekable();
            if hit.peek().is_none() {
                contributions.push(Contribution::unreadable(unreadable, issue, None));
                continue;
            }
            for (source, good) in hit {
                let last_good = Some(good.objects.clone());
                contributions.push(Contribution::unreadable(source.clone(), issue.clone(), last_good));
            }
        }
        contributions
    }

    fn remember(&mut self, edition: &edition::Merged, now: Timestamp) {
        self.refused_since.retain(|source, _| edition.refused.contains_key(source));
        for source in edition.refused.keys() {
            self.refused_since.entry(source.clone()).or_insert(now);
        }
        // A file that is gone has no good version any more; one that is refused keeps it.
        self.good.retain(|source, _| edition.refused.contains_key(source));
        for (source, objects) in &edition.good {
            self.good.insert(source.clone(), Good { objects: objects.clone(), read: now });
        }
        self.owners.clone_from(&edition.owners);
        self.snapshot = edition.snapshot.clone();
    }
}

/// Whether a file is the one that could not be read, or in the directory that could not.
fn is_below(file: &Source, unreadable: &Source) -> bool {
    Path::new(file.as_str()).starts_with(unreadable.as_str())
}

#[cfg(test)]
mod tests;
