//! Manifests that change while they are served.
//!
//! A bad file never replaces a good one. Of a file with an error, whatever the error, all objects keep the version of
//! the last reading of that file that had none; other files go on. A file that never was good gives what can be used
//! of it, as it does to `portway check`. A file that is gone takes its objects with it.
//!
//! A file is parsed once for each text that it has, however often the others change.

mod edition;
mod file_reading;
mod texts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::manifest::Source;

use self::edition::{Contribution, Given, merge};
pub(crate) use self::edition::{Edition, RefusedFile};
use self::file_reading::FileReading;
use self::texts::{Texts, TextsReader};
use crate::issue::Issue;

/// Manifests that change while they are served.
#[derive(Debug)]
pub(crate) struct LiveManifests {
    reader: TextsReader,
    /// The hash of the last texts.
    seen: Option<u64>,
    /// What was last parsed of each file.
    parsed: BTreeMap<Source, Parsed>,
    /// Of each file its last good version, and since when it is the last.
    good: BTreeMap<Source, Good>,
    /// What of each file is served.
    given: BTreeMap<Source, Given>,
    /// When each refused file was first found to be bad.
    refused_since: BTreeMap<Source, Timestamp>,
}

/// A text that was parsed.
#[derive(Clone, Debug)]
struct Parsed {
    content_hash: u64,
    reading: Arc<FileReading>,
}

/// The last good version of a file.
#[derive(Clone, Debug)]
struct Good {
    reading: Arc<FileReading>,
    read: Timestamp,
}

impl LiveManifests {
    /// Reads nothing yet.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        Self {
            reader: TextsReader::new(paths),
            seen: None,
            parsed: BTreeMap::new(),
            good: BTreeMap::new(),
            given: BTreeMap::new(),
            refused_since: BTreeMap::new(),
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
        let edition = merge(self.contributions(texts), &self.given);
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
    fn contributions(&mut self, texts: Texts) -> Vec<Contribution> {
        let mut contributions = Vec::new();
        let mut before = std::mem::take(&mut self.parsed);
        for text in texts.texts {
            let content_hash = text.content_hash();
            let known = before.remove(text.source()).filter(|it| it.content_hash == content_hash);
            let reading = known.map_or_else(|| Arc::new(text.read()), |it| it.reading);
            let last_good = self.good.get(text.source()).map(|good| Arc::clone(&good.reading));
            let parsed = Parsed { content_hash, reading: Arc::clone(&reading) };
            self.parsed.insert(text.source().clone(), parsed);
            contributions.push(Contribution::new(text.source().clone(), reading, last_good));
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
                let last_good = Some(Arc::clone(&good.reading));
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
        for (source, given) in &edition.given {
            if !edition.refused.contains_key(source) {
                let reading = Arc::clone(&given.reading);
                self.good.insert(source.clone(), Good { reading, read: now });
            }
        }
        self.given.clone_from(&edition.given);
    }
}

/// Whether a file is the one that could not be read, or in the directory that could not.
fn is_below(file: &Source, unreadable: &Source) -> bool {
    Path::new(file.as_str()).starts_with(unreadable.as_str())
}

#[cfg(test)]
mod tests;
