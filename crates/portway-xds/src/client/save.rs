//! Saving the configuration, beside the work of following it.

use std::path::Path;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use super::disk::{Saved, SavedFile};
use crate::limits::Limits;

/// Saves the newest configuration, at most once in an interval.
#[derive(Debug)]
pub(super) struct Saver {
    newest: watch::Sender<Option<Saved>>,
    task: JoinHandle<()>,
}

impl Saver {
    pub(super) fn start(directory: &Path, limits: &Limits) -> Self {
        let (newest, mut to_save) = watch::channel(None::<Saved>);
        let (mut file, interval) = (Some(SavedFile::new(directory)), limits.save_interval);
        let directory = directory.to_owned();
        let task = tokio::spawn(async move {
            let mut has_failed = false;
            while to_save.changed().await.is_ok() {
                // Taken out, so that it is not held in memory until the next.
                let saved = to_save.borrow_and_update().clone();
                let Some(saved) = saved else { continue };
                has_failed = !save(&directory, &mut file, saved, has_failed).await;
                tokio::select! {
                    () = sleep(interval) => {}
                    // The end is near: the newest, if it is not saved, is seen by `changed` all the same.
                    () = closed(&to_save) => {}
                }
            }
        });
        Self { newest, task }
    }

    pub(super) fn save(&self, saved: Saved) {
        self.newest.send_replace(Some(saved));
    }

    /// Saves the newest, if that is still to be done.
    pub(super) async fn finish(self) {
        drop(self.newest);
        // It does not panic; should it all the same, the process ends here anyway.
        let _ = self.task.await;
    }
}

/// Resolves when there is nobody any more who could give something to save.
async fn closed(to_save: &watch::Receiver<Option<Saved>>) {
    let mut watching = to_save.clone();
    while watching.changed().await.is_ok() {}
}

/// Returns whether it was saved.
async fn save(directory: &Path, file: &mut Option<SavedFile>, saved: Saved, has_failed: bool) -> bool {
    let mut to = file.take().unwrap_or_else(|| SavedFile::new(directory));
    let result = spawn_blocking(move || {
        let result = to.save(saved);
        (to, result)
    });
    let error = match result.await {
        Ok((to, result)) => {
            *file = Some(to);
            match result {
                Ok(()) => return true,
                Err(error) => error.to_string(),
            }
        }
        Err(error) => error.to_string(),
    };
    // Each change would tell of the same full disk.
    if !has_failed {
        tracing::warn!(
            "the configuration cannot be saved in {}, so after a restart this proxy serves nothing until it \
             reaches the controller: {error}",
            directory.display()
        );
    }
    false
}
