//! Statuses follow what is published, what the proxies say of it, and what others do to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use portway_api::Snapshot;
use portway_api::object::ObjectRef;
use portway_translate::{Controllers, Statuses};
use portway_xds::Acknowledgements;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::data_plane::{Standing, Telling, key, ready_pods, standing, waiting};
use super::provisioning::Faults;
use super::transition_times;
use super::translation::{Published, now};
use crate::limits::PATIENCE;
use crate::provision;
use crate::status::{StatusWriter, plan, plan_pools};
use crate::watch::Store;

/// Keeps the statuses as they should be, while this controller leads.
pub(crate) struct StatusKeeper {
    pub(crate) store: Arc<Store>,
    pub(crate) controllers: Controllers,
    pub(crate) published: watch::Receiver<Option<Arc<Published>>>,
    pub(crate) statuses: watch::Receiver<u64>,
    pub(crate) acknowledgements: watch::Receiver<Arc<Acknowledgements>>,
    /// What stands in the way of serving each Gateway.
    pub(crate) faults: watch::Receiver<Faults>,
    pub(crate) leads: watch::Receiver<bool>,
    pub(crate) writer: StatusWriter,
}

impl StatusKeeper {
    /// Writes whatever must be written, for ever.
    pub(crate) async fn run(mut self) {
        let mut again: Option<Instant> = None;
        loop {
            let due = async {
                match again {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let is_open = tokio::select! {
                it = self.published.changed() => it.is_ok(),
                it = self.statuses.changed() => it.is_ok(),
                it = self.acknowledgements.changed() => it.is_ok(),
                it = self.faults.changed() => it.is_ok(),
                it = self.leads.changed() => it.is_ok(),
                () = due => true,
            };
            if !is_open {
                return;
            }
            if *self.leads.borrow() {
                again = self.keep().await;
            }
        }
    }

    /// Writes what differs; returns when to look again though nothing happens.
    async fn keep(&mut self) -> Option<Instant> {
        let published = self.published.borrow_and_update().clone()?;
        let acknowledgements = Arc::clone(&self.acknowledgements.borrow_and_update());
        let faults = self.faults.borrow_and_update().clone();
        let snapshot = self.store.snapshot();
        let Told { statuses, held, until } = tell(&published, &snapshot, &acknowledgements, &faults);
        let mut patches = plan(&snapshot, &statuses, &self.controllers);
        patches.extend(plan_pools(&snapshot, now()));
        patches.retain(|patch| !held.contains(&patch.object));
        let retry = self.writer.write(patches).await;
        until.into_iter().chain(retry).min()
    }
}

struct Told {
    statuses: Statuses,
    /// Nothing is said of these yet.
    held: BTreeSet<ObjectRef>,
    /// When patience ends.
    until: Option<Instant>,
}

fn tell(
    published: &Published,
    snapshot: &Snapshot,
    acknowledgements: &Acknowledgements,
    faults: &Faults,
) -> Told {
    let mut statuses = published.translation.statuses.clone();
    let (mut held, mut until) = (BTreeSet::new(), None);
    let patience = published.since + PATIENCE;
    for (name, configuration) in &published.configurations {
        let Some(revision) = published.revisions.get(name) else { continue };
        let acknowledgements = acknowledgements.gateways.get(name).map(|it| &**it);
        let service = provision::service_of(snapshot, &key(name));
        let ready = service.map(|service| ready_pods(snapshot, &service)).unwrap_or_default();
        let standing = standing(&ready, *revision, acknowledgements);
        if matches!(standing, Standing::Behind { .. }) && Instant::now() < patience {
            held.extend(waiting(configuration));
            until = Some(patience);
            continue;
        }
        let fault = faults.get(&key(name)).map(String::as_str);
        let now = now();
        Telling { statuses: &mut statuses, configuration, acknowledgements, now }.tell(&standing, fault);
    }
    transition_times::carry_over(snapshot, &mut statuses);
    Told { statuses, held, until }
}
