//! What one file holds.

use portway_api::manifest::{Origin, Reading, Source, read};
use portway_api::{Object, object::ObjectRef};

use crate::issue::Issue;

/// What one version of a file holds. It is kept until the file has another, so it has no room to spare.
#[derive(Debug, Default)]
pub(super) struct FileReading {
    /// The objects, each with the place where it is written.
    pub(super) objects: Box<[(Object, Origin)]>,
    /// What is wrong with them.
    pub(super) issues: Box<[Issue]>,
}

impl FileReading {
    /// Parses a text.
    pub(super) fn of(source: &Source, text: &str) -> Self {
        let Reading { objects, problems, .. } = read(source, text);
        let issues = problems.into_iter().map(Issue::from).collect();
        Self { objects: objects.into_boxed_slice(), issues }
    }

    /// The objects with their names.
    pub(super) fn named(&self) -> impl Iterator<Item = (ObjectRef, &Object, &Origin)> {
        self.objects.iter().map(|(object, origin)| (object.object_ref(), object, origin))
    }
}
