//! Statuses follow what is published, what the proxies say of it, and what others do to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use portway_api::object::ObjectRef;
use portway_api::{ObjectKey, Snapshot};
use portway_config::{Configuration, node_agents};
use portway_translate::backend::EndpointsIndex;
use portway_translate::{Controllers, Statuses};
use portway_xds::Acknowledgements;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::agents;
use super::agents_standing::AgentsStanding;
use super::data_plane::{Standing, Telling, key, ready_pods, refusals_without_status, standing, waits};
use super::provisioning::Faults;
use super::transition_times;
use super::translation::{Published, now};
use crate::limits::PATIENCE;
use crate::provision;
use crate::status::{RoutePlan, StatusWriter, plan, plan_pools};
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
    pub(crate) routes: RoutePlan,
    pub(crate) index: EndpointsIndex,
    /// The Service of the node agents, where there are any.
    pub(crate) agents: Option<ObjectKey>,
    /// What proxies refuse, as the log has told it.
    pub(crate) refusals: BTreeSet<String>,
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
        self.log_refusals(&acknowledgements);
        let snapshot = self.store.snapshot();
        self.index.follow(&snapshot);
        let objects = Objects { snapshot: &snapshot, index: &self.index, agents: self.agents.as_ref() };
        let Told { statuses, held, until } = tell(&published, objects, &acknowledgements, &faults);
        let is_held = |object: &ObjectRef| held.iter().any(|configuration| waits(configuration, object));
        let mut patches = plan(&snapshot, &statuses, &self.controllers);
        patches.extend(plan_pools(&snapshot, now()));
        patches.extend(self.routes.follow(&snapshot, &statuses, &self.controllers).cloned());
        let retry = self.writer.write(patches, is_held).await;
        until.into_iter().chain(retry).min()
    }
}

impl StatusKeeper {
    fn log_refusals(&mut self, acknowledgements: &Acknowledgements) {
        let now = refusals_without_status(acknowledgements);
        now.difference(&self.refusals).for_each(|line| tracing::error!("{line}"));
        self.refusals = now;
    }
}

struct Told<'a> {
    statuses: Statuses,
    /// Nothing is said yet of what waits for the proxies of these.
    held: Vec<&'a Configuration>,
    /// When patience ends.
    until: Option<Instant>,
}

/// The objects as they are now.
#[derive(Clone, Copy)]
struct Objects<'a> {
    snapshot: &'a Snapshot,
    index: &'a EndpointsIndex,
    agents: Option<&'a ObjectKey>,
}

impl Objects<'_> {
    /// Where the agents stand.
    fn agents(&self, published: &Published, acknowledgements: &Acknowledgements) -> Option<AgentsStanding> {
        let told = published.agents.clone()?;
        let ready = agents::ready(self.index, self.agents?);
        let acknowledged = acknowledgements.gateways.get(&node_agents()).map(|it| &**it);
        Some(AgentsStanding::new(told, &ready, acknowledged))
    }
}

fn tell<'a>(
    published: &'a Published,
    objects: Objects<'_>,
    acknowledgements: &Acknowledgements,
    faults: &Faults,
) -> Told<'a> {
    let mut statuses = published.translation.statuses.clone();
    let Objects { snapshot, index, .. } = objects;
    let agents = objects.agents(published, acknowledgements);
    let (mut held, mut until) = (Vec::new(), None);
    let patience = published.since + PATIENCE;
    for (name, configuration) in &published.configurations {
        let Some(revision) = published.revisions.get(name) else { continue };
        let acknowledgements = acknowledgements.gateways.get(name).map(|it| &**it);
        let service = provision::service_of(snapshot, &key(name));
        let ready = service.map(|service| ready_pods(index, &service)).unwrap_or_default();
        let standing = standing(&ready, *revision, acknowledgements);
        let are_behind = agents.as_ref().is_some_and(|it| it.are_behind(name));
        let is_awaited = are_behind || matches!(standing, Standing::Behind { .. });
        if is_awaited && Instant::now() < patience {
            held.push(&**configuration);
            until = Some(patience);
            continue;
        }
        let fault = faults.get(&key(name)).map(String::as_str);
        let now = now();
        let mut telling = Telling { statuses: &mut statuses, configuration, acknowledgements, now };
        telling.tell(&standing, fault);
        if let Some(agents) = &agents {
            agents.tell(&mut telling);
        }
    }
    transition_times::carry_over(snapshot, &mut statuses);
    Told { statuses, held, until }
}
