//! The texts of all manifests, and whether they are the same as before.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use portway_api::manifest::load::STDIN_PATH;
use portway_api::manifest::{Loaded, Problem, Text, load};

/// Reads the texts again and again. Standard input ends, so it is read once and kept.
#[derive(Debug)]
pub(super) struct TextsReader {
    stdin: Option<Loaded>,
    paths: Vec<PathBuf>,
}

/// What is there to be read.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) texts: Vec<Text>,
    /// What could not be read.
    pub(super) problems: Vec<Problem>,
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
        Texts { texts, problems }
    }
}

impl Texts {
    pub(super) fn content_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for Text { source, text } in &self.texts {
            (source, text).hash(&mut hasher);
        }
        for problem in &self.problems {
            problem.to_string().hash(&mut hasher);
        }
        hasher.finish()
    }
}
