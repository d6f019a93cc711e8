//! Serving what the controller says, and telling what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::manifest::Severity;
use portway_config::{Configuration, Revision};
use portway_proxy::proxy::Applied;
use portway_proxy::snapshot::Binding;
use portway_proxy::{Proxy, Snapshot};
use portway_translate::Statuses;
use portway_xds::client::{RefusedByProxy, Source};
use portway_xds::{Refusal, Report, Update};

use super::compile::{Addresses, Compiled, compile, of_listeners};
use crate::admin::AdminState;
use crate::issue::Issue;
use crate::standalone::Published;
use crate::standalone::changes::Changes;
use crate::wording::counted;

/// Refused resources that are logged after a change; the others are counted.
const LOGGED_REFUSALS: usize = 20;

/// The data plane, and what it serves.
#[derive(Debug)]
pub(super) struct ServedGateway {
    proxy: Proxy,
    addresses: Addresses,
    admin: Arc<AdminState>,
    /// Of the update that is served.
    serial: u64,
    revision: Revision,
    /// Since when it is served.
    since: Timestamp,
    compiled: Option<Compiled>,
    /// Resources that have come, changed or gone since somebody last cleared up after them.
    read: usize,
    /// What was refused before it came here.
    not_in_update: Vec<Refusal>,
    /// Sockets that the system refused, and the listeners that lack them.
    refused_sockets: Vec<Binding>,
    without_socket: Vec<RefusedByProxy>,
}

impl ServedGateway {
    /// Serves nothing yet.
    pub(super) fn new(proxy: Proxy, addresses: Addresses, admin: Arc<AdminState>) -> Self {
        Self {
            proxy,
            addresses,
            admin,
            serial: 0,
            revision: Revision::default(),
            since: Timestamp::UNIX_EPOCH,
            compiled: None,
            read: 0,
            not_in_update: Vec::new(),
            refused_sockets: Vec::new(),
            without_socket: Vec::new(),
        }
    }

    /// Serves an update from now on.
    pub(super) async fn apply(&mut self, update: Update, now: Timestamp) -> Report {
        let Update { serial, revision, configuration, refused, source } = update;
        let before = self.problems();
        self.not_in_update = refused;
        (self.serial, self.revision, self.since) = (serial, revision, now);
        let compiled = match self.compiled.take() {
            // A new number alone, as after a restart of the controller.
            Some(same) if is_served(&same, &configuration) => same,
            previous => {
                let compiled = compile(Arc::clone(&configuration), &self.addresses, previous.as_ref());
                self.read += log(revision, source, previous.as_ref(), &compiled);
                compiled
            }
        };
        let snapshot = Snapshot { revision, gateways: vec![Arc::clone(&compiled.snapshot)] };
        self.compiled = Some(compiled);
        let applied = self.proxy.apply(snapshot).await;
        self.note(applied);
        self.tell(&before)
    }

    /// Leaves the data plane as it is, and lets go of all else: who holds on to the admin server's state holds on to
    /// the access log.
    pub(super) fn into_proxy(self) -> Proxy {
        self.proxy
    }

    /// Resources that have come, changed or gone since the last [`Self::forget_read`].
    pub(super) fn read(&self) -> usize {
        self.read
    }

    pub(super) fn forget_read(&mut self) {
        self.read = 0;
    }

    pub(super) fn has_refused_sockets(&self) -> bool {
        !self.refused_sockets.is_empty()
    }

    /// Tries again to open the sockets that the system refused.
    pub(super) async fn open_again(&mut self) -> Report {
        let before = self.problems();
        let applied = self.proxy.apply(self.proxy.snapshot()).await;
        self.note(applied);
        self.tell(&before)
    }

    fn note(&mut self, applied: Applied) {
        let Some(compiled) = &self.compiled else { return };
        let configuration = &compiled.snapshot.configuration;
        let refuse = |failure: &portway_proxy::connection::BindFailure| {
            let message = format!("{failure}; it is tried again every few seconds");
            of_listeners(configuration, &failure.binding, &message)
        };
        self.without_socket = applied.failures.iter().flat_map(refuse).collect();
        self.refused_sockets = applied.failures.iter().map(|failure| failure.binding).collect();
    }

    fn refused(&self) -> Vec<RefusedByProxy> {
        let compiled = self.compiled.iter().flat_map(|compiled| &compiled.refused);
        compiled.chain(&self.without_socket).cloned().collect()
    }

    /// All that is refused, by whomever, with whether it is known that a version before serves on.
    fn problems(&self) -> BTreeMap<Refusal, bool> {
        let not_in_update = self.not_in_update.iter().map(|refusal| (refusal.clone(), false));
        let refused = self.refused().into_iter().map(|it| (it.refusal, it.keeps_last_good));
        not_in_update.chain(refused).collect()
    }

    /// Tells everybody what is served and what is refused. `before`: what was refused before.
    fn tell(&self, before: &BTreeMap<Refusal, bool>) -> Report {
        let problems = self.problems();
        log_refusals(before, &problems);
        let snapshot = self.compiled.iter().map(|compiled| Arc::clone(&compiled.snapshot));
        self.admin.publish(Arc::new(Published {
            revision: self.revision,
            since: self.since,
            gateways: snapshot.collect(),
            refused_sockets: self.refused_sockets.clone(),
            statuses: Statuses::default(),
            issues: problems.keys().map(issue).collect(),
            refused: Vec::new(),
        }));
        Report { serial: self.serial, refused: self.refused() }
    }
}

/// Whether a configuration is what was compiled, and nothing of it was refused.
fn is_served(compiled: &Compiled, configuration: &Configuration) -> bool {
    compiled.refused.is_empty() && *compiled.snapshot.configuration == *configuration
}

/// Returns how many resources are different.
fn log(revision: Revision, source: Source, before: Option<&Compiled>, after: &Compiled) -> usize {
    let after = &after.snapshot.configuration;
    let nothing = Configuration::empty(after.gateway.clone());
    let changes = Changes::between(before.map_or(&nothing, |it| &it.snapshot.configuration), after);
    match before {
        Some(_) => tracing::info!(%revision, "{changes}"),
        None => {
            let from = match source {
                Source::Disk => "as it was saved on the disk",
                Source::Controller => "from the controller",
            };
            let listeners = counted(after.listeners.len(), "listener");
            let routes = counted(after.routes.len(), "route");
            tracing::info!(%revision, "Gateway {}: {listeners}, {routes}, {from}", after.gateway);
        }
    }
    changes.count()
}

/// Logs what is newly refused, and that something is no longer.
fn log_refusals(before: &BTreeMap<Refusal, bool>, after: &BTreeMap<Refusal, bool>) {
    let new: Vec<_> = after.iter().filter(|(refusal, _)| !before.contains_key(refusal)).collect();
    for (Refusal { key, message }, keeps_last_good) in new.iter().take(LOGGED_REFUSALS) {
        let serves_on = if **keeps_last_good { "; its last good version serves on" } else { "" };
        tracing::error!("{key} is refused: {message}{serves_on}");
    }
    if let Some(more) = new.len().checked_sub(LOGGED_REFUSALS).filter(|more| *more > 0) {
        tracing::error!("{} refused; /status shows them", counted(more, "more resource"));
    }
    let keys: BTreeSet<_> = after.keys().map(|refusal| &refusal.key).collect();
    let mended: BTreeSet<_> =
        before.keys().map(|refusal| &refusal.key).filter(|key| !keys.contains(key)).collect();
    for key in mended.into_iter().take(LOGGED_REFUSALS) {
        tracing::info!("{key} is no longer refused");
    }
}

fn issue(refusal: &Refusal) -> Issue {
    Issue {
        severity: Severity::Error,
        position: None,
        code: "refused".to_owned(),
        object: Some(refusal.key.to_string()),
        field: None,
        message: refusal.message.clone(),
        help: None,
    }
}
