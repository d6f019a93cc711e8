//! The texts of all manifests, and whether they are the same as before.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use portway_api::manifest::load::STDIN_PATH;
use portway_api::manifest::{Loaded, Problem, Source, Text, load};

use super::file_reading::FileReading;

/// Reads the texts again and again. Standard input ends, so it is read once and kept.
#[derive(Debug)]
pub(super) struct TextsReader {
    stdin: Option<Loaded>,
    paths: Vec<PathBuf>,
}

/// What is there to be read.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) texts: Vec<HashedText>,
    /// What could not be read.
    pub(super) problems: Vec<Problem>,
}

/// A text, and a number that stands for it: another text has another one, but for a chance that is none.
#[derive(Debug)]
pub(super) struct HashedText {
    text: Text,
    content_hash: u64,
}

impl TextsReader {
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        let (stdin, paths): (Vec<_>, Vec<_>) =
            paths.into_iter().partition(|path| path == Path::new(STDIN_PATH));
        Self { stdin: stdin.first().map(|stdin| load([stdin])), paths }
    }

    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    pub(super) fn read(&self) -> Texts {
        let Loaded { mut texts, mut problems } = load(&self.paths);
        if let Some(stdin) = &self.stdin {
            texts.extend(stdin.texts.iter().cloned());
            problems.extend(stdin.problems.iter().cloned());
        }
        // A file that is named twice, as itself and by its directory, is one file.
        let mut seen = std::collections::BTreeSet::new();
        texts.retain(|text| seen.insert(text.source.clone()));
        Texts { texts: texts.into_iter().map(HashedText::new).collect(), problems }
    }
}

impl Texts {
    pub(super) fn content_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for text in &self.texts {
            (text.source(), text.content_hash).hash(&mut hasher);
        }
        for problem in &self.problems {
            problem.to_string().hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl HashedText {
    fn new(text: Text) -> Self {
        let mut hasher = DefaultHasher::new();
        text.text.hash(&mut hasher);
        Self { text, content_hash: hasher.finish() }
    }

    pub(super) fn source(&self) -> &Source {
        &self.text.source
    }

    pub(super) fn content_hash(&self) -> u64 {
        self.content_hash
    }

    /// Parses it.
    pub(super) fn read(&self) -> FileReading {
        FileReading::of(&self.text.source, &self.text.text)
    }
}
