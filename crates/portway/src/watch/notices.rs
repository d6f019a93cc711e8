//! The kernel's notices of changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// The kernel's notices of changes.
#[derive(Debug)]
pub(super) struct Notices {
    watcher: RecommendedWatcher,
    paths: Vec<PathBuf>,
    /// What is watched now.
    watched: BTreeSet<(PathBuf, bool)>,
    received: mpsc::Receiver<()>,
}

impl Notices {
    pub(super) fn new(paths: &[PathBuf]) -> notify::Result<Self> {
        // One place is enough: a notice says no more than that there was one.
        let (send, received) = mpsc::channel(1);
        let meant = Meant::new(paths);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may mean that notices were lost: look.
            if event.as_ref().map_or(true, |event| meant.includes(event)) {
                let _ = send.try_send(());
            }
        })?;
        let mut notices = Self { watcher, paths: paths.to_vec(), watched: BTreeSet::new(), received };
        notices.renew();
        Ok(notices)
    }

    /// Waits for a notice.
    pub(super) async fn next(&mut self) {
        if self.received.recv().await.is_none() {
            // The other end lives in our watcher.
            std::future::pending::<()>().await;
        }
    }

    /// Watches what is there now. A directory that was replaced is another one, whatever its name.
    pub(super) fn renew(&mut self) {
        for (path, _) in std::mem::take(&mut self.watched) {
            // It may be gone.
            let _ = self.watcher.unwatch(&path);
        }
        for (path, recursive) in directories(&self.paths) {
            let mode = if recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match self.watcher.watch(&path, mode) {
                Ok(()) => {
                    self.watched.insert((path, recursive));
                }
                Err(error) => tracing::debug!("cannot watch {}: {error}", path.display()),
            }
        }
    }
}

/// The directories to watch, and whether with all below them. Directories, not files: a file that is replaced by
/// another of its name is a change of its directory alone.
fn directories(paths: &[PathBuf]) -> BTreeSet<(PathBuf, bool)> {
    let mut directories = BTreeSet::new();
    for path in paths {
        if path.is_dir() {
            directories.insert((path.clone(), true));
        }
        directories.insert((parent(path), false));
    }
    // The watch of all below a directory takes the place of that of the directory alone.
    let recursive: Vec<_> = directories.iter().filter(|it| it.1).map(|it| it.0.clone()).collect();
    directories.retain(|(path, all_below)| *all_below || !recursive.contains(path));
    directories
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

/// Which notices are meant. The directory above a manifest may be a busy one.
#[derive(Debug)]
struct Meant {
    paths: Vec<PathBuf>,
}

impl Meant {
    fn new(paths: &[PathBuf]) -> Self {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Self { paths: paths.iter().map(absolute).collect() }
    }

    fn includes(&self, event: &Event) -> bool {
        // That a file is read, by ourselves too, changes nothing.
        let is_change = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) => false,
            _ => true,
        };
        // Without a path: notices were lost.
        is_change && (event.paths.is_empty() || event.paths.iter().any(|path| self.is_meant(path)))
    }

    fn is_meant(&self, path: &Path) -> bool {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // The kubelet swaps a link of this kind beside the files that it mounts.
        let is_swap = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
        self.paths.iter().any(|it| path.starts_with(it) || (is_swap && path.parent() == it.parent()))
    }
}
