//! `portway run`: manifests in, traffic out, in one process and without a cluster.
//!
//! 1. [`crate::live`] reads the manifests, as often as they change.
//! 2. [`mod@stage`] works out what is to be served, aside.
//! 3. The proxy swaps it in ([`portway_proxy::Proxy::apply`]).
//! 4. What came of it is [`Published`] for the admin server.

pub(crate) mod bindings;
pub(crate) mod changes;
mod clock;
mod error;
mod open_addresses;
mod published;
mod run;
pub(crate) mod signals;
mod stage;
mod summary;
mod transition_times;
mod try_it;
mod unavailable;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::manifest::Severity;
use portway_config::Revision;
use portway_proxy::proxy::Applied;
use portway_proxy::snapshot::Binding;
use portway_proxy::{Proxy, Snapshot};
use portway_translate::Memory;

use self::bindings::Unavailable;
use self::changes::Changes;
pub(crate) use self::published::Published;
pub(crate) use self::run::{OPEN_AGAIN, drain, run};
use self::stage::{ServedGateway, Settings, Staged, stage};
use crate::admin::AdminState;
use crate::demo_backend::DemoBackends;
use crate::issue::{Issue, Origins, OwnFault};
use crate::kernel_path::KernelPath;
use crate::live::{Edition, LiveManifests, RefusedFile};
use crate::object_name;

/// New problems that are logged after a change; the others are counted.
const LOGGED_ISSUES: usize = 20;

/// The data plane and the manifests that it follows.
#[derive(Debug)]
struct Standalone {
    manifests: LiveManifests,
    demo_backends: Option<DemoBackends>,
    settings: Settings,
    proxy: Proxy,
    revision: Revision,
    /// Since when the revision is served.
    since: Timestamp,
    gateways: Vec<ServedGateway>,
    memory: Memory,
    /// When the manifests mean something else though they have not changed.
    next_change: Option<Timestamp>,
    /// Sockets that the system refused.
    refused_sockets: Vec<(Binding, Unavailable)>,
    kernel_path: KernelPath,
    admin: Arc<AdminState>,
}

/// What came of a reading.
#[derive(Debug)]
struct Report {
    published: Arc<Published>,
    files: usize,
    objects: usize,
}

impl Standalone {
    /// Reads the manifests and serves what they say. None: they are the same as before.
    async fn read(&mut self, now: Timestamp) -> Option<Report> {
        let proposed = self.manifests.read(now)?;
        let (edition, staged) = self.judge(proposed, now);
        self.next_change = staged.next_change;
        let is_first = self.revision == Revision::default();
        if staged.is_new || is_first {
            self.revision = Revision(self.revision.0 + 1);
            self.since = now;
            self.log_changes(&staged);
            let gateways = staged.gateways.iter().map(|gateway| Arc::clone(&gateway.snapshot)).collect();
            let snapshot = Snapshot { revision: self.revision, gateways };
            let applied = self.proxy.apply(snapshot).await;
            self.note(applied);
            self.gateways.clone_from(&staged.gateways);
        }
        let (files, objects) = (edition.files, staged.objects);
        let published = self.publish(edition, staged, now);
        // Reading takes several times the memory of what comes of it.
        portway_allocator::give_back();
        Some(Report { published, files, objects })
    }

    /// Stages what is proposed; where translation finds texts wrong by themselves, stages what is left without these files.
    fn judge(&mut self, proposed: Edition, now: Timestamp) -> (Edition, Staged) {
        let mut edition = proposed;
        // Demo backends do not start or end for the sake of a version that may be refused.
        let mut is_trial = self.demo_backends.is_some() && self.manifests.may_fall_back();
        loop {
            let demo_backends = self.demo_backends.as_mut().filter(|_| !is_trial);
            let (served, memory) = (&self.gateways, &mut self.memory);
            let mut staged = stage(&edition, demo_backends, &self.settings, served, memory, now);
            match self.manifests.refuse(&staged.own_faults, &edition.origins, now) {
                Some(other) => edition = other,
                None if is_trial => is_trial = false,
                None => {
                    self.manifests.accept(now);
                    // The others are told with their files.
                    let nowhere = |it: &OwnFault| edition.origins.start(&it.culprit).is_none();
                    let untold = std::mem::take(&mut staged.own_faults).into_iter().filter(nowhere);
                    staged.issues.extend(untold.map(|it| it.issue));
                    return (edition, staged);
                }
            }
        }
    }

    /// Tries again to open the sockets that the system refused.
    async fn open_again(&mut self, now: Timestamp) {
        let before = self.refused_sockets.clone();
        let applied = self.proxy.apply(self.proxy.snapshot()).await;
        let opened = applied.opened.len();
        self.note(applied);
        if self.refused_sockets != before {
            tracing::info!("{opened} more sockets are open");
            self.translate_again(now).await;
        }
    }

    /// Works out again what the same manifests mean: something beside them has changed.
    async fn translate_again(&mut self, now: Timestamp) {
        self.manifests.forget();
        self.read(now).await;
    }

    fn has_refused_sockets(&self) -> bool {
        !self.refused_sockets.is_empty()
    }

    fn note(&mut self, applied: Applied) {
        self.refused_sockets = applied.failures.iter().map(|it| (it.binding, it.into())).collect();
    }

    fn publish(&self, edition: Edition, staged: Staged, now: Timestamp) -> Arc<Published> {
        let Staged { gateways, bindings, addresses, mut statuses, mut issues, .. } = staged;
        let (refused_sockets, refused): (Vec<_>, Vec<_>) = self.refused_sockets.iter().cloned().unzip();
        let unavailable = [bindings.unavailable, refused].concat();
        for gateway in &gateways {
            let configuration = &gateway.snapshot.configuration;
            let addresses = addresses.get(&configuration.gateway).map(Vec::as_slice).unwrap_or_default();
            unavailable::tell(&mut statuses, configuration, addresses, &unavailable, now);
        }
        issues.extend(unavailable.iter().map(|it| socket_issue(it, &edition.origins)));
        issues.sort();
        issues.dedup();
        let before = self.admin.published();
        if let Some(before) = &before {
            transition_times::carry_over(&before.statuses, &mut statuses);
        }
        let gateways: Vec<_> = gateways.into_iter().map(|gateway| gateway.snapshot).collect();
        // Behind the proxy: its sockets are open before the kernel takes what comes to them.
        self.kernel_path.follow(gateways.clone(), refused_sockets.clone());
        let published = Arc::new(Published {
            revision: self.revision,
            since: self.since,
            gateways,
            refused_sockets,
            statuses,
            issues,
            refused: edition.refused,
        });
        if let Some(before) = before {
            log_issues(&before, &published);
        }
        self.admin.publish(Arc::clone(&published));
        published
    }

    fn log_changes(&self, staged: &Staged) {
        let revision = self.revision;
        let name = |gateway: &ServedGateway| gateway.snapshot.configuration.gateway.clone();
        for gateway in &staged.gateways {
            let after = &gateway.snapshot;
            match self.gateways.iter().find(|it| name(it) == name(gateway)) {
                None if revision == Revision(1) => {}
                None => tracing::info!(%revision, "Gateway {} added", name(gateway)),
                Some(before) if !Arc::ptr_eq(&before.snapshot, after) => {
                    let changes = Changes::between(&before.snapshot.configuration, &after.configuration);
                    tracing::info!(%revision, "Gateway {}: {changes}", name(gateway));
                }
                Some(_) => {}
            }
        }
        for gateway in &self.gateways {
            if !staged.gateways.iter().any(|it| name(it) == name(gateway)) {
                tracing::info!(%revision, "Gateway {} removed", name(gateway));
            }
        }
    }
}

fn socket_issue(unavailable: &Unavailable, origins: &Origins) -> Issue {
    let gateway = object_name::gateway(&unavailable.gateway);
    Issue {
        severity: Severity::Error,
        position: origins.start(&gateway),
        code: "port-unavailable".to_owned(),
        object: Some(gateway.to_string()),
        field: None,
        message: unavailable.to_string(),
        help: unavailable.help(),
    }
}

/// Logs what is new, and what is mended.
fn log_issues(before: &Published, after: &Published) {
    for RefusedFile { source, serving_since, problems, .. } in &after.refused {
        let was_refused = before.refused.iter().any(|it| it.source == *source && it.problems == *problems);
        match serving_since {
            _ if was_refused => {}
            Some(_) => tracing::error!("{source} is refused, and its last good version serves on"),
            None => tracing::error!("{source} has errors; what can be used of it is served"),
        }
    }
    for RefusedFile { source, .. } in &before.refused {
        if !after.refused.iter().any(|it| it.source == *source) {
            tracing::info!("{source} is no longer refused");
        }
    }
    // A line that was put in above moves a problem, and makes no new one.
    let known: BTreeSet<_> = before.all_issues().into_iter().map(without_position).collect();
    let is_new = |issue: &Issue| !known.contains(&without_position(issue.clone()));
    let new: Vec<_> = after.all_issues().into_iter().filter(is_new).collect();
    for issue in new.iter().take(LOGGED_ISSUES) {
        match issue.severity {
            Severity::Error => tracing::error!("{issue}"),
            Severity::Warning => tracing::warn!("{issue}"),
            Severity::Note => tracing::info!("{issue}"),
        }
    }
    if let Some(more) = new.len().checked_sub(LOGGED_ISSUES).filter(|more| *more > 0) {
        tracing::warn!("{more} more problems; `portway status` shows them");
    }
}

fn without_position(issue: Issue) -> Issue {
    Issue { position: None, ..issue }
}
