//! What files look like from outside: a change of any makes a difference.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::is_hidden;

/// A hash of the names, places, sizes and times of files. Nothing is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    /// Of files, and of directories with all below them.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut entered = BTreeSet::new();
        for path in paths {
            add(path, &mut hasher, &mut entered);
        }
        Self(hasher.finish())
    }
}

/// `entered` holds the directories that were entered: symbolic links may lead around in circles.
fn add(path: &Path, hasher: &mut DefaultHasher, entered: &mut BTreeSet<(u64, u64)>) {
    path.hash(hasher);
    // Of what a symbolic link leads to: when a link is swapped, that is another file.
    let Ok(metadata) = fs::metadata(path) else { return };
    (metadata.dev(), metadata.ino(), metadata.len()).hash(hasher);
    (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()).hash(hasher);
    if !metadata.is_dir() || !entered.insert((metadata.dev(), metadata.ino())) {
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    let mut entries: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    for entry in entries.iter().filter(|entry| !is_hidden(entry)) {
        add(entry, hasher, entered);
    }
}
