//! Manifests that change while they are served.
//!
//! A bad file never replaces a good one. Of a file with an error of its own, all objects keep the version of
//! the last reading of that file that had none; other files go on. A file that never was good gives what can be used
//! of it, as it does to `portway check`. A file that is gone takes its objects with it.
//!
//! Some errors are found by reading, others by translation: an expression that does not compile, a certificate without
//! its key. So an edition is a proposal at first ([`LiveManifests::read`]). Who translates it hands back what is wrong with texts
//! by themselves and gets another edition ([`LiveManifests::refuse`]), until there is nothing to refuse any more
//! ([`LiveManifests::accept`]). What is wrong because of other objects refuses no file: it may be mended by another one.
//!
//! A file is parsed once for each text that it has, however often the others change.

mod edition;
mod file_reading;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::manifest::Source;

use self::edition::{Contribution, Given, Merged, faults_by_file, merge};
pub(crate) use self::edition::{Edition, RefusedFile};
use self::file_reading::FileReading;
use self::texts::{Texts, TextsReader};
use crate::issue::{Issue, Origins, OwnFault};

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
    /// What translation found wrong with the texts of files by themselves.
    faults: BTreeMap<Source, Faults>,
    /// What each file has to give to the edition that is not accepted yet.
    proposed: Vec<Contribution>,
    /// What is to be remembered of that edition when it is accepted.
    agreed: Agreed,
}

/// What an edition leaves for the next.
#[derive(Debug, Default)]
struct Agreed {
    given: BTreeMap<Source, Given>,
    refused: BTreeSet<Source>,
    kept: BTreeSet<Source>,
}

/// What is wrong with a text by itself: it stays wrong as long as the text is the same.
#[derive(Clone, Debug)]
struct Faults {
    content_hash: u64,
    issues: Vec<Issue>,
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
            faults: BTreeMap::new(),
            proposed: Vec::new(),
            agreed: Agreed::default(),
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

    /// Reads all files, and proposes what to serve. None: nothing is different.
    pub(crate) fn read(&mut self, now: Timestamp) -> Option<Edition> {
        let texts = self.reader.read();
        let hash = texts.content_hash();
        if self.seen.replace(hash) == Some(hash) {
            return None;
        }
        self.proposed = self.contributions(texts);
        Some(self.edition(now))
    }

    /// Whether what is proposed may yet be refused in favour of a good version.
    pub(crate) fn may_fall_back(&self) -> bool {
        self.proposed.iter().any(Contribution::may_fall_back)
    }

    /// Refuses the files of what was proposed whose own texts are wrong, and proposes what is left. None: there is nothing to
    /// refuse that is not refused already.
    pub(crate) fn refuse(
        &mut self,
        found: &[OwnFault],
        origins: &Origins,
        now: Timestamp,
    ) -> Option<Edition> {
        let mut is_new = false;
        for (source, issues) in faults_by_file(found, origins) {
            let parsed = self.parsed.get(&source);
            let blamed = self.proposed.iter_mut().filter(|it| it.source == source);
            let is_blamed_anew = blamed.map(|it| it.blame(&issues)).fold(false, |any, it| any | it);
            if let (true, Some(Parsed { content_hash, .. })) = (is_blamed_anew, parsed) {
                is_new = true;
                let none = || Faults { content_hash: *content_hash, issues: Vec::new() };
                let known = &mut self.faults.entry(source).or_insert_with(none).issues;
                known.extend(issues);
                known.sort();
                known.dedup();
            }
        }
        is_new.then(|| self.edition(now))
    }

    /// Takes what was proposed for what is served from now on.
    pub(crate) fn accept(&mut self, now: Timestamp) {
        let Agreed { given, refused, kept } = std::mem::take(&mut self.agreed);
        self.proposed.clear();
        self.refused_since.retain(|source, _| refused.contains(source));
        for source in &refused {
            self.refused_since.entry(source.clone()).or_insert(now);
        }
        // A file that is gone has no good version any more; one that is refused keeps it.
        self.good.retain(|source, _| kept.contains(source));
        for (source, given) in given.iter().filter(|(source, _)| !refused.contains(source)) {
            self.good.insert(source.clone(), Good { reading: Arc::clone(&given.reading), read: now });
        }
        self.given = given;
    }

    /// What is proposed, as one edition.
    fn edition(&mut self, now: Timestamp) -> Edition {
        let Merged { snapshot, origins, issues, refused, given, kept, .. } =
            merge(self.proposed.clone(), &self.given);
        self.agreed = Agreed { given, refused: refused.keys().cloned().collect(), kept };
        let good_since = |source: &Source| self.good.get(source).map(|good| good.read);
        let refused = refused.into_iter().map(|(source, problems)| RefusedFile {
            since: self.refused_since.get(&source).copied().unwrap_or(now),
            serving_since: good_since(&source).filter(|_| self.agreed.kept.contains(&source)),
            source,
            problems,
        });
        let refused = refused.collect();
        Edition { snapshot, origins, issues, refused, files: self.parsed.len() }
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
            let faults = self.faults.get(text.source()).filter(|it| it.content_hash == content_hash);
            let faults = faults.map(|it| it.issues.as_slice()).unwrap_or_default();
            contributions.push(Contribution::new(text.source().clone(), reading, last_good, faults));
        }
        let is_current =
            |source: &Source, hash| self.parsed.get(source).is_some_and(|it| it.content_hash == hash);
        self.faults.retain(|source, faults| is_current(source, faults.content_hash));
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
}

/// Whether a file is the one that could not be read, or in the directory that could not.
fn is_below(file: &Source, unreadable: &Source) -> bool {
    Path::new(file.as_str()).starts_with(unreadable.as_str())
}

#[cfg(test)]
mod tests;
