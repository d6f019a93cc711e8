//! The client: a proxy follows the configuration of its Gateway with it.

mod backoff;
mod connect;
mod disk;
mod save;
mod session;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use portway_config::{Configuration, NamespacedName, Revision};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use self::backoff::Backoff;
use self::connect::{ConnectError, connect};
use self::save::Saver;
use self::session::{Ended, Session};
use self::store::Store;
use crate::limits::Limits;
use crate::refusal::Refusal;

/// How a client is started.
pub struct ClientOptions {
    /// The Gateway that is served.
    pub gateway: NamespacedName,
    /// Name of the pod, for the server's log.
    pub pod: String,
    /// The server: `HOST:PORT`. Its certificate must have the name HOST.
    pub controller: String,
    /// Who must have signed the server's certificate, in PEM; by default who the system trusts. Read at each
    /// connect.
    pub ca_file: Option<PathBuf>,
    /// Holds the token that is shown to the server. Read at each connect.
    pub token_file: Option<PathBuf>,
    /// Where the last good configuration is kept.
    pub state_dir: Option<PathBuf>,
    /// Gives random numbers, at least 0 and less than 1: so that not all proxies connect again at once.
    pub random: Box<dyn Fn() -> f64 + Send + Sync>,
    /// Limits.
    pub limits: Limits,
}

/// A configuration to be served.
#[derive(Clone, Debug)]
pub struct Update {
    /// Number of the update within the process, for [`Report::serial`].
    pub serial: u64,
    /// Number of the configuration.
    pub revision: Revision,
    /// The configuration. What is equal to that of the update before is shared with it.
    pub configuration: Arc<Configuration>,
    /// Resources of which the newest version is not in it: it could not be read, or was refused before and has been
    /// put back to its last good version.
    pub refused: Vec<Refusal>,
    /// Where it came from.
    pub source: Source,
}

/// Where a configuration came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The disk: the last good one, from before the process was started.
    Disk,
    /// The controller.
    Controller,
}

/// What the proxy has made of an update. It may be given again for the same update when something is different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The update that this is about. It serves, but for what is refused.
    pub serial: u64,
    /// All that is refused now.
    pub refused: Vec<RefusedByProxy>,
}

/// A resource that the proxy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedByProxy {
    /// Which, and why.
    pub refusal: Refusal,
    /// Whether the proxy serves the version that the resource had in the update before. Then so do all updates to
    /// come, until the resource is changed again.
    pub keeps_last_good: bool,
}

/// Follows the configuration of a Gateway, for as long as it lives.
///
/// It takes [`Client::next`] and [`Client::report`] in turns: the next update is made only once the report to the
/// one before is in.
#[derive(Debug)]
pub struct Client {
    updates: mpsc::Receiver<Update>,
    reports: watch::Sender<Report>,
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Client {
    /// Reads the last good configuration, if there is one, and connects in a task of the current runtime.
    pub fn start(options: ClientOptions) -> Self {
        // One update at a time, as reports are waited for.
        let (updates_in, updates) = mpsc::channel(1);
        let (reports, reports_out) = watch::channel(Report::default());
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(follow(options, updates_in, reports_out, stopped));
        Self { updates, reports, task, stop }
    }

    /// Waits for the next update. It may be cancelled and called again.
    pub async fn next(&mut self) -> Update {
        match self.updates.recv().await {
            Some(update) => update,
            // The task goes on for as long as this is there, so it has panicked; the proxy serves on.
            None => std::future::pending().await,
        }
    }

    /// Tells what came of an update.
    pub fn report(&self, report: Report) {
        self.reports.send_if_modified(|before| {
            let is_new = *before != report;
            *before = report;
            is_new
        });
    }

    /// Disconnects, and writes the last good configuration if that was still to be done.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the task that follows the configuration ended in a panic");
        }
    }
}

async fn follow(
    options: ClientOptions,
    updates: mpsc::Sender<Update>,
    mut reports: watch::Receiver<Report>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut store = Store::new(options.gateway.clone());
    let saver = options.state_dir.as_ref().map(|directory| Saver::start(directory, &options.limits));
    if let Some(directory) = &options.state_dir {
        load(&mut store, directory, &options.limits);
    }
    let follow = async {
        if store.revision() > Revision::default() {
            let update = store.update(Source::Disk);
            if hand_over(update, &updates, &mut reports).await.is_none() {
                return;
            }
        }
        follow_controller(options, &mut store, &updates, &mut reports, saver.as_ref()).await;
    };
    tokio::select! {
        () = follow => {}
        // That the owner is gone ends it too.
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    if let Some(saver) = saver {
        saver.finish().await;
    }
}

/// Hands an update to the owner of the client, and waits for what it has to say; None: it is gone.
async fn hand_over(
    update: Update,
    updates: &mpsc::Sender<Update>,
    reports: &mut watch::Receiver<Report>,
) -> Option<Report> {
    let serial = update.serial;
    updates.send(update).await.ok()?;
    Some(reports.wait_for(|report| report.serial == serial).await.ok()?.clone())
}

fn load(store: &mut Store, directory: &std::path::Path, limits: &Limits) {
    match disk::load(directory, store.gateway(), limits) {
        Ok(Some(saved)) => {
            store.restore(saved);
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!("the saved configuration is ignored, and the controller waited for: {error}");
        }
    }
}

async fn follow_controller(
    options: ClientOptions,
    store: &mut Store,
    updates: &mpsc::Sender<Update>,
    reports: &mut watch::Receiver<Report>,
    saver: Option<&Saver>,
) {
    let mut backoff = Backoff::new(&options.limits);
    let mut told = String::new();
    loop {
        let ended = match connect(&options).await {
            Ok(channel) => {
                let mut session = Session::new(channel, store, updates, reports, saver, &options);
                session.run().await
            }
            Err(error) => Ended { error, has_synchronized: false },
        };
        if updates.is_closed() {
            return;
        }
        if ended.has_synchronized {
            backoff.reset();
            told.clear();
        }
        let wait = backoff.next((options.random)());
        tell(&ended.error, &mut told, &options.controller, store.revision());
        tokio::time::sleep(wait).await;
    }
}

/// The same message is told once: what is tried every few seconds would fill the log.
fn tell(error: &ConnectError, told: &mut String, controller: &str, revision: Revision) {
    let message = error.to_string();
    if message == *told {
        tracing::debug!("controller {controller}: {message}");
        return;
    }
    let serves = match revision {
        Revision(0) => "there is no configuration to serve yet".to_owned(),
        revision => format!("revision {revision} serves on"),
    };
    tracing::warn!(
        "not connected to the controller at {controller}: {message}; {serves}, and it is tried again"
    );
    *told = message;
}

impl fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("gateway", &self.gateway)
            .field("controller", &self.controller)
            .finish_non_exhaustive()
    }
}
