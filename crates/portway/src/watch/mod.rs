//! Noticing that manifests may have changed.
//!
//! The kernel's notices make it prompt; looking again every few seconds makes it sure, on file systems that give no
//! notices (NFS, folders shared with a virtual machine) and where notices were lost. Whether anything really is
//! different, whoever reads the files finds out.

mod fingerprint;
mod notices;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::fingerprint::Fingerprint;
use self::notices::Notices;

/// A change is told when the files have been quiet for this long: `git checkout` writes many, and an editor writes
/// one in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// A change is told after this long, quiet or not.
const UNREST: Duration = Duration::from_secs(1);

/// How often to look, beside the kernel's notices.
const LOOK: Duration = Duration::from_secs(5);

/// How often to look where the kernel gives no notices.
const LOOK_ALONE: Duration = Duration::from_secs(1);

/// Notices that files may have changed.
#[derive(Debug)]
pub(crate) struct Watch {
    paths: Vec<PathBuf>,
    /// None: the kernel gives none.
    notices: Option<Notices>,
    seen: Fingerprint,
}

impl Watch {
    /// Begins to watch files, and directories with all below them.
    pub(crate) fn new(paths: &[PathBuf]) -> Self {
        let notices = Notices::new(paths).inspect_err(|error| {
            tracing::warn!("no notices of changed files ({error}); looking every {LOOK_ALONE:?} instead");
        });
        Self { paths: paths.to_vec(), notices: notices.ok(), seen: Fingerprint::of(paths) }
    }

    /// Waits until something may have changed. May be cancelled and called again.
    pub(crate) async fn changed(&mut self) {
        if self.paths.is_empty() {
            return std::future::pending().await;
        }
        self.first_sign().await;
        self.quiet().await;
        // Directories may have come, gone, or been replaced; what is written from here on is told again.
        if let Some(notices) = &mut self.notices {
            notices.renew();
        }
        self.seen = Fingerprint::of(&self.paths);
    }

    /// Waits for a notice, or until a look finds a difference.
    async fn first_sign(&mut self) {
        let every = if self.notices.is_some() { LOOK } else { LOOK_ALONE };
        loop {
            match &mut self.notices {
                Some(notices) => {
                    if timeout(every, notices.next()).await.is_ok() {
                        return;
                    }
                }
                None => sleep(every).await,
            }
            if Fingerprint::of(&self.paths) != self.seen {
                return;
            }
        }
    }

    /// Waits until there is no notice for a while.
    async fn quiet(&mut self) {
        let deadline = Instant::now() + UNREST;
        let Some(notices) = &mut self.notices else { return sleep(QUIET).await };
        loop {
            tokio::select! {
                more = timeout(QUIET, notices.next()) => if more.is_err() { return },
                () = sleep_until(deadline) => return,
            }
        }
    }
}

/// Whether a name is hidden; such files are not read from a directory.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests;
