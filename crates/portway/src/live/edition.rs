//! From what each file gives to one set of objects.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::Snapshot;
use portway_api::manifest::{Origin, Position, Severity, Source};
use portway_api::object::ObjectRef;
use serde::{Deserialize, Serialize};

use super::file_reading::FileReading;
use crate::issue::{Issue, Origins, OwnFault};

/// All objects as they are to be served from now on.
#[derive(Debug)]
pub(crate) struct Edition {
    pub(crate) snapshot: Snapshot,
    /// Where objects are written; not those that are kept from a version of their file that is gone.
    pub(crate) origins: Origins,
    /// What is wrong with the files that are not refused, or worth a note.
    pub(crate) issues: Vec<Issue>,
    pub(crate) refused: Vec<RefusedFile>,
    /// Number of files.
    pub(crate) files: usize,
}

/// A file with errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusedFile {
    #[serde(with = "crate::issue::source_name")]
    pub(crate) source: Source,
    /// When it was first found to be bad.
    pub(crate) since: Timestamp,
    /// When the version that is served was read; absent where the file never was good, and what can be used of it
    /// is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) serving_since: Option<Timestamp>,
    pub(crate) problems: Vec<Issue>,
}

/// What a file has to give.
#[derive(Clone, Debug)]
pub(super) struct Contribution {
    pub(super) source: Source,
    /// What it holds now; nothing where it could not be read.
    reading: Arc<FileReading>,
    /// What is wrong with it.
    issues: Vec<Issue>,
    /// Its last good version, if it has one.
    last_good: Option<Arc<FileReading>>,
}

/// What is served of a file.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) reading: Arc<FileReading>,
    /// Those of its objects that another file gives.
    elsewhere: BTreeSet<ObjectRef>,
}

/// What all files give together.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) snapshot: Snapshot,
    pub(super) origins: Origins,
    pub(super) issues: Vec<Issue>,
    /// The problems of files that are refused.
    pub(super) refused: BTreeMap<Source, Vec<Issue>>,
    /// What is served of each file.
    pub(super) given: BTreeMap<Source, Given>,
    /// The files of which the last good version is kept.
    pub(super) kept: BTreeSet<Source>,
    /// The names of all objects.
    names: BTreeSet<ObjectRef>,
}

impl Contribution {
    /// `faults` are what translation found wrong with this very text.
    pub(super) fn new(
        source: Source,
        reading: Arc<FileReading>,
        last_good: Option<Arc<FileReading>>,
        faults: &[Issue],
    ) -> Self {
        let issues = [&reading.issues, faults].concat();
        Self { source, reading, issues, last_good }
    }

    /// A file that could not be read.
    pub(super) fn unreadable(source: Source, issue: Issue, last_good: Option<Arc<FileReading>>) -> Self {
        Self { source, reading: Arc::default(), issues: vec![issue], last_good }
    }

    fn has_errors(&self) -> bool {
        self.issues.iter().any(|issue| issue.severity == Severity::Error)
    }

    /// Whether a good version of it is there that differs from what it holds now.
    pub(super) fn may_fall_back(&self) -> bool {
        !self.has_errors() && self.last_good.as_ref().is_some_and(|good| !Arc::ptr_eq(good, &self.reading))
    }

    /// Takes in what translation found wrong with its text. Returns whether anything of it is new.
    pub(super) fn blame(&mut self, faults: &[Issue]) -> bool {
        let new: Vec<_> = faults.iter().filter(|fault| !self.issues.contains(fault)).cloned().collect();
        // Nobody asked for what is wrong in it before, so the version was taken for good.
        self.last_good.take_if(|good| Arc::ptr_eq(good, &self.reading));
        let is_new = !new.is_empty();
        self.issues.extend(new);
        is_new
    }
}

/// What is wrong with the texts of files by themselves, as translation found.
pub(super) fn faults_by_file(found: &[OwnFault], origins: &Origins) -> BTreeMap<Source, Vec<Issue>> {
    let mut faults = BTreeMap::<_, Vec<_>>::new();
    for fault in found {
        // Of an object that is kept from an earlier version nothing is written any more: that version was good.
        let Some(position) = origins.start(&fault.culprit) else { continue };
        let issues = faults.entry(position.source.clone()).or_default();
        let issue = fault.of_culprit(position);
        if !issues.contains(&issue) {
            issues.push(issue);
        }
    }
    faults
}

/// Puts the files together. `before`: what each file gave to the edition before.
pub(super) fn merge(mut contributions: Vec<Contribution>, before: &BTreeMap<Source, Given>) -> Merged {
    refuse_duplicates(&mut contributions, before);
    let (bad, good): (Vec<_>, Vec<_>) = contributions.into_iter().partition(Contribution::has_errors);
    let mut merged = Merged::default();
    for Contribution { source, reading, issues, .. } in good {
        merged.take(source, reading, true);
        merged.issues.extend(issues);
    }
    for Contribution { source, reading, issues, last_good } in bad {
        merged.origins.note_errors(&issues);
        match last_good {
            // Nothing is written any more where the last good version had it.
            Some(last_good) => {
                merged.take(source.clone(), last_good, false);
                merged.kept.insert(source.clone());
            }
            None => merged.take(source.clone(), reading, true),
        }
        merged.refused.entry(source).or_default().extend(issues);
    }
    merged
}

impl Merged {
    /// Takes the objects of a file, but for those that another file has given already.
    fn take(&mut self, source: Source, reading: Arc<FileReading>, is_written: bool) {
        // Several problems may have been met with one file.
        if self.given.contains_key(&source) {
            return;
        }
        let mut elsewhere = BTreeSet::new();
        for (name, object, origin) in reading.named() {
            if !self.names.insert(name.clone()) {
                elsewhere.insert(name);
                continue;
            }
            self.snapshot.insert(object.clone());
            if is_written {
                self.origins.insert(name, origin.clone());
            }
        }
        self.given.insert(source, Given { reading, elsewhere });
    }
}

impl Given {
    /// The names of the objects that the file gave.
    fn names(&self) -> impl Iterator<Item = ObjectRef> {
        self.reading.named().map(|(name, ..)| name).filter(|name| !self.elsewhere.contains(name))
    }
}

/// Where two files define one object, the file that had it before keeps it, else the first; the other has an error.
/// (Within one file, reading itself sees to it.)
fn refuse_duplicates(contributions: &mut [Contribution], before: &BTreeMap<Source, Given>) {
    // Who gave what is asked for only where two files define one object, which is rare.
    let before = LazyCell::new(|| {
        let of_file = |(source, given): (_, &'_ Given)| {
            given.names().map(move |name| (name, source)).collect::<Vec<_>>()
        };
        before.iter().flat_map(of_file).collect::<BTreeMap<ObjectRef, &Source>>()
    });
    let mut owners = BTreeMap::<ObjectRef, (Source, Position)>::new();
    for Contribution { source, reading, .. } in contributions.iter() {
        for (name, _, origin) in reading.named() {
            let owns = !owners.contains_key(&name) || before.get(&name) == Some(&source);
            if owns {
                owners.insert(name, (source.clone(), origin.start()));
            }
        }
    }
    for Contribution { source, reading, issues, .. } in contributions {
        for (name, _, origin) in reading.named() {
            if let Some((_, place)) = owners.get(&name).filter(|(owner, _)| owner != source) {
                issues.push(duplicate(&name, origin, place));
            }
        }
    }
}

fn duplicate(name: &ObjectRef, origin: &Origin, place: &Position) -> Issue {
    Issue {
        severity: Severity::Error,
        position: Some(origin.start()),
        code: portway_api::manifest::ProblemCode::DuplicateObject.as_str().to_owned(),
        object: Some(name.to_string()),
        field: None,
        message: format!("this object is defined already at {place}"),
        help: Some("remove one of the two, or give it another name or namespace".to_owned()),
    }
}
