//! From what each file gives to one set of objects.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portway_api::manifest::{Origin, Severity, Source};
use portway_api::object::ObjectRef;
use portway_api::{Object, Snapshot};
use serde::{Deserialize, Serialize};

use crate::issue::{Issue, Origins};

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
#[derive(Debug)]
pub(super) struct Contribution {
    pub(super) source: Source,
    pub(super) objects: Vec<(Object, Origin)>,
    pub(super) issues: Vec<Issue>,
    /// The objects of its last good version, if it has one.
    pub(super) last_good: Option<Vec<ObjectRef>>,
}

/// What all files give together.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) snapshot: Snapshot,
    pub(super) origins: Origins,
    pub(super) issues: Vec<Issue>,
    /// The problems of files that are refused.
    pub(super) refused: BTreeMap<Source, Vec<Issue>>,
    /// The objects of files that are good.
    pub(super) good: BTreeMap<Source, Vec<ObjectRef>>,
    /// Which file each object comes from.
    pub(super) owners: BTreeMap<ObjectRef, Source>,
}

impl Contribution {
    /// A file that could not be read.
    pub(super) fn unreadable(source: Source, issue: Issue, last_good: Option<Vec<ObjectRef>>) -> Self {
        Self { source, objects: Vec::new(), issues: vec![issue], last_good }
    }

    fn has_errors(&self) -> bool {
        self.issues.iter().any(|issue| issue.severity == Severity::Error)
    }
}

/// Puts the files together. `owners` and `served` are those of the edition before.
pub(super) fn merge(
    mut contributions: Vec<Contribution>,
    owners: &BTreeMap<ObjectRef, Source>,
    served: &Snapshot,
) -> Merged {
    refuse_duplicates(&mut contributions, owners);
    let (bad, good): (Vec<_>, Vec<_>) = contributions.into_iter().partition(Contribution::has_errors);
    let mut merged = Merged::default();
    for Contribution { source, objects, issues, .. } in good {
        let names = objects.iter().map(|(object, _)| object.object_ref()).collect();
        merged.take(&source, objects);
        merged.good.insert(source, names);
        merged.issues.extend(issues);
    }
    for Contribution { source, objects, issues, last_good } in bad {
        merged.origins.note_errors(&issues);
        match last_good {
            Some(names) => merged.keep(&source, names, served),
            None => merged.take(&source, objects),
        }
        merged.refused.entry(source).or_default().extend(issues);
    }
    merged
}

impl Merged {
    /// Takes the objects of a file, but for those that another file has given already.
    fn take(&mut self, source: &Source, objects: Vec<(Object, Origin)>) {
        for (object, origin) in objects {
            let name = object.object_ref();
            if !self.owners.contains_key(&name) {
                self.origins.insert(name.clone(), origin);
                self.owners.insert(name, source.clone());
                self.snapshot.insert(object);
            }
        }
    }

    /// Keeps objects of a file as they are served now, but for those that have moved to another file.
    fn keep(&mut self, source: &Source, names: Vec<ObjectRef>, served: &Snapshot) {
        for name in names {
            if !self.owners.contains_key(&name) && self.snapshot.share(served, &name) {
                self.owners.insert(name, source.clone());
            }
        }
    }
}

/// Where two files define one object, the file that had it before keeps it, else the first; the other has an error.
/// (Within one file, reading itself sees to it.)
fn refuse_duplicates(contributions: &mut [Contribution], before: &BTreeMap<ObjectRef, Source>) {
    let mut owners = BTreeMap::<ObjectRef, (Source, String)>::new();
    for Contribution { source, objects, .. } in contributions.iter() {
        for (object, origin) in objects {
            let name = object.object_ref();
            let owns = !owners.contains_key(&name) || before.get(&name) == Some(source);
            if owns {
                owners.insert(name, (source.clone(), origin.start().to_string()));
            }
        }
    }
    for Contribution { source, objects, issues, .. } in contributions {
        for (object, origin) in objects.iter() {
            let name = object.object_ref();
            if let Some((_, place)) = owners.get(&name).filter(|(owner, _)| owner != source) {
                issues.push(duplicate(&name, origin, place));
            }
        }
    }
}

fn duplicate(name: &ObjectRef, origin: &Origin, place: &str) -> Issue {
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
