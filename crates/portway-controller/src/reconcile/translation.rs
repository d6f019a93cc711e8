//! From objects to configurations: one translation for a burst of changes, and a short path for endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::{ObjectKey, Snapshot};
use portway_config::{Configuration, EndpointsKey, NamespacedName, Revision, Transport, node_agents};
use portway_translate::backend::{EndpointsIndex, IndexedEndpoints};
use portway_translate::{Memory, Options, Translation, translate_remembering};
use portway_xds::Publisher;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep};

use crate::address::Decision;
use crate::limits::BURST;
use crate::metrics::Metrics;
use crate::provision::{naming, service_of};
use crate::reconcile::agents::{self, Surroundings};
use crate::reconcile::data_plane::key;
use crate::watch::policy::{AllObjects, PolicyObjects};
use crate::watch::{Dirt, Store};

/// What is published, and what it was made from.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) translation: Translation,
    pub(crate) configurations: BTreeMap<NamespacedName, Arc<Configuration>>,
    /// What became of the addresses of each Gateway.
    pub(crate) decisions: Decisions,
    /// The objects that were translated.
    pub(crate) snapshot: Snapshot,
    /// What the proxies of each Gateway must have acknowledged.
    pub(crate) revisions: BTreeMap<NamespacedName, Revision>,
    /// What node agents are told, where there are any.
    pub(crate) agents: Option<ToldAgents>,
    pub(crate) since: Instant,
}

/// What node agents are told.
#[derive(Clone, Debug)]
pub(crate) struct ToldAgents {
    pub(crate) configuration: Arc<Configuration>,
    /// What they must have acknowledged.
    pub(crate) revision: Revision,
}

/// Translates and publishes whatever changes.
pub(crate) struct Translator<O> {
    pub(crate) store: Arc<Store>,
    pub(crate) publisher: Publisher,
    /// Pods and policies for the node agents, where there are any.
    pub(crate) policy: Option<watch::Receiver<PolicyObjects>>,
    /// The Service of the node agents, where there are any.
    pub(crate) agents: Option<ObjectKey>,
    /// Makes the options of a translation of these objects at this moment, and with them the decisions on addresses.
    pub(crate) options: O,
    pub(crate) published: watch::Sender<Option<Arc<Published>>>,
    /// Counts changes of statuses.
    pub(crate) statuses: watch::Sender<u64>,
    pub(crate) metrics: Metrics,
}

/// What became of the addresses of each Gateway.
pub(crate) type Decisions = BTreeMap<ObjectKey, Decision>;

/// A translation that is done.
struct Done {
    snapshot: Snapshot,
    translation: Translation,
    /// For the next.
    memory: Memory,
    decisions: Decisions,
    /// Services whose endpoints have changed since it began.
    overtaken: BTreeSet<ObjectKey>,
}

/// A translation under way.
struct Running {
    task: JoinHandle<(Snapshot, Translation, Memory)>,
    decisions: Decisions,
    /// Services whose endpoints have changed since it began.
    overtaken: BTreeSet<ObjectKey>,
}

impl<O: Fn(&Snapshot, Timestamp) -> (Options, Decisions)> Translator<O> {
    /// Follows the store, for ever.
    pub(crate) async fn run(self) {
        let mut policy = self.policy.clone();
        let mut changes = self.store.subscribe();
        changes.mark_changed();
        let mut running: Option<Running> = None;
        let mut is_due = false;
        let mut index = EndpointsIndex::default();
        let (mut counted, mut joined) = (*changes.borrow(), 0);
        // One translation runs at a time, and hands it to the next.
        let mut memory = Memory::default();
        loop {
            tokio::select! {
                changed = changes.changed() => {
                    if changed.is_err() { return }
                    // While one is under way the next burst grows by itself.
                    if running.is_none() { sleep(BURST).await }
                    let count = *changes.borrow_and_update();
                    joined += count.wrapping_sub(std::mem::replace(&mut counted, count));
                    if let Some((snapshot, dirt)) = self.store.take() {
                        index.follow(&snapshot);
                        self.publish_endpoints(&snapshot, &index, &dirt);
                        let touched = dirt.endpoints.clone();
                        if let Some(running) = &mut running {
                            running.overtaken.extend(dirt.endpoints);
                        }
                        is_due |= dirt.objects;
                        let of_agents = self.agents.as_ref().is_some_and(|it| touched.contains(it));
                        if dirt.statuses || of_agents || serves_gateways(&snapshot, &touched) {
                            self.statuses.send_modify(|count| *count += 1);
                        }
                    }
                }
                () = changed(&mut policy) => self.publish_policy(),
                done = finished(&mut running) => {
                    if let Some(mut done) = done {
                        memory = std::mem::take(&mut done.memory);
                        self.publish(done, &mut index);
                    }
                    running = None;
                }
            }
            if is_due && running.is_none() {
                is_due = false;
                self.metrics.translating(std::mem::take(&mut joined));
                running = Some(self.begin(std::mem::take(&mut memory)));
            }
        }
    }

    fn begin(&self, mut memory: Memory) -> Running {
        let snapshot = self.store.snapshot();
        let (options, decisions) = (self.options)(&snapshot, now());
        let metrics = self.metrics.clone();
        let task = spawn_blocking(move || {
            let begun = std::time::Instant::now();
            let translation = translate_remembering(&snapshot, &options, &mut memory);
            metrics.translated(begun.elapsed());
            (snapshot, translation, memory)
        });
        Running { task, decisions, overtaken: BTreeSet::new() }
    }

    fn publish(&self, done: Done, index: &mut EndpointsIndex) {
        let Done { snapshot, mut translation, decisions, overtaken, .. } = done;
        let mut configurations = BTreeMap::new();
        for mut configuration in std::mem::take(&mut translation.configurations).into_values() {
            if !overtaken.is_empty() {
                let snapshot = self.store.snapshot();
                index.follow(&snapshot);
                renew_endpoints(&mut configuration, index.of(&snapshot), &overtaken);
            }
            configurations.insert(configuration.gateway.clone(), Arc::new(configuration));
        }
        let of_agents = self.for_agents(&configurations, &decisions, &snapshot, index);
        let (revisions, agents) = self.publish_all(&configurations, of_agents);
        let of = |it: &Option<ToldAgents>| it.as_ref().map(|it| it.revision);
        let is_same = |before: &Published| before.revisions == revisions && of(&before.agents) == of(&agents);
        // What is the same as before has been waited for already.
        let since = self.published.borrow().as_ref().filter(|it| is_same(it)).map(|it| it.since);
        let since = since.unwrap_or_else(Instant::now);
        let published =
            Published { translation, configurations, decisions, snapshot, revisions, agents, since };
        self.published.send_replace(Some(Arc::new(published)));
    }

    /// Publishes to the proxies of each Gateway, and to node agents where there are any. Returns the revision of each
    /// Gateway.
    fn publish_all(
        &self,
        configurations: &BTreeMap<NamespacedName, Arc<Configuration>>,
        of_agents: Option<Arc<Configuration>>,
    ) -> (BTreeMap<NamespacedName, Revision>, Option<ToldAgents>) {
        let Some(configuration) = of_agents else {
            return (self.publisher.publish(configurations), None);
        };
        let mut all = configurations.clone();
        all.insert(node_agents(), Arc::clone(&configuration));
        let mut revisions = self.publisher.publish(&all);
        let told = revisions.remove(&node_agents()).map(|revision| ToldAgents { configuration, revision });
        (revisions, told)
    }

    fn for_agents(
        &self,
        configurations: &BTreeMap<NamespacedName, Arc<Configuration>>,
        decisions: &Decisions,
        translated: &Snapshot,
        index: &mut EndpointsIndex,
    ) -> Option<Arc<Configuration>> {
        let service = self.agents.as_ref()?;
        // Agents that are told of no policies would enforce none; so they go on with what they have until all is known.
        let objects = self.policy.as_ref()?.borrow().clone();
        let policy = agents::policy_facts(translated, configurations.keys(), objects.all()?);
        // Later than what was translated: no endpoint goes back to what it was.
        let snapshot = self.store.snapshot();
        index.follow(&snapshot);
        let addresses = |gateway: &NamespacedName| {
            let decision = decisions.get(&key(gateway));
            decision.and_then(|it| it.service.ingress.clone()).unwrap_or_default()
        };
        let of_gateway = |gateway: &NamespacedName| {
            let service = service_of(&snapshot, &key(gateway))?;
            Some(NamespacedName::new(service.namespace.as_str(), service.name.as_str()))
        };
        let endpoints = |key: &EndpointsKey| index.of(&snapshot).endpoints_on_nodes(key);
        let around = Surroundings { addresses: &addresses, service: &of_gateway, endpoints: &endpoints };
        let mut told = agents::configuration(configurations, agents::nodes(index, service), &around);
        told.policy = policy;
        Some(Arc::new(told))
    }

    /// The short path of pods and policies: agents alone are told, and nothing is translated.
    fn publish_policy(&self) {
        let Some(objects) = self.policy.as_ref().map(|it| it.borrow().clone()) else { return };
        let Some(AllObjects { pods, policies, cluster_policies }) = objects.all() else { return };
        let amended = self.publisher.amend(&node_agents(), |it| {
            (it.policy.pods, it.policy.policies) = (pods.clone(), policies.clone());
            it.policy.cluster_policies = cluster_policies.clone();
        });
        if amended.is_none() {
            // Agents have not been told of anything yet.
            self.store.reconsider();
        }
    }

    /// The short path.
    fn publish_endpoints(&self, snapshot: &Snapshot, index: &EndpointsIndex, dirt: &Dirt) {
        if dirt.endpoints.is_empty() {
            return;
        }
        let Some(published) = self.published.borrow().clone() else { return };
        let keys: BTreeSet<EndpointsKey> =
            published.configurations.values().flat_map(|it| in_use(it, &dirt.endpoints)).collect();
        if !keys.is_empty() {
            self.metrics.endpoints_updated();
        }
        for key in keys {
            let endpoints = Arc::new(index.of(snapshot).endpoints(&key));
            self.publisher.publish_endpoints_to(&endpoints, |it| *it != node_agents());
        }
        if let Some((service, agents)) = self.agents.as_ref().zip(published.agents.as_ref()) {
            let keys = in_use(&agents.configuration, &dirt.endpoints);
            let changed = keys.iter().map(|key| index.of(snapshot).endpoints_on_nodes(key));
            let nodes = dirt.endpoints.contains(service).then(|| agents::nodes(index, service));
            for endpoints in changed.chain(nodes) {
                self.publisher.publish_endpoints_to(&Arc::new(endpoints), |it| *it == node_agents());
            }
        }
    }
}

/// Whether one of these Services is that of a Gateway's proxies, so that its endpoints tell which proxies are ready.
fn serves_gateways(snapshot: &Snapshot, services: &BTreeSet<ObjectKey>) -> bool {
    let labels = |service| snapshot.services.get(service)?.metadata.labels.as_ref();
    services.iter().filter_map(labels).any(|labels| labels.contains_key(naming::GATEWAY_NAME))
}

/// The keys of endpoints that a configuration has of some Services.
fn in_use(configuration: &Configuration, services: &BTreeSet<ObjectKey>) -> Vec<EndpointsKey> {
    let of_service = |service: &ObjectKey| {
        let name = NamespacedName::new(service.namespace.as_str(), service.name.as_str());
        // The first that there could be.
        let start = EndpointsKey { service: name.clone(), port: 0, transport: Transport::Tcp };
        let keys = configuration.endpoints.range_from(&start).map(|(key, _)| key);
        keys.take_while(|key| key.service == name).cloned().collect::<Vec<_>>()
    };
    services.iter().flat_map(of_service).collect()
}

/// Puts newer endpoints into a configuration: it was made before they changed.
fn renew_endpoints(
    configuration: &mut Configuration,
    index: IndexedEndpoints<'_>,
    services: &BTreeSet<ObjectKey>,
) {
    for key in in_use(configuration, services) {
        let endpoints = Arc::new(index.endpoints(&key));
        configuration.endpoints.insert(key, endpoints);
    }
}

/// Waits until there is something new, for ever if nobody tells.
async fn changed(policy: &mut Option<watch::Receiver<PolicyObjects>>) {
    let is_new = match policy {
        Some(policy) => policy.changed().await.is_ok(),
        None => false,
    };
    if !is_new {
        std::future::pending::<()>().await;
    }
}

/// Waits for a translation, if there is one.
async fn finished(running: &mut Option<Running>) -> Option<Done> {
    let Some(Running { task, decisions, overtaken }) = running else { return std::future::pending().await };
    match task.await {
        Ok((snapshot, translation, memory)) => {
            let (decisions, overtaken) = (std::mem::take(decisions), std::mem::take(overtaken));
            Some(Done { snapshot, translation, memory, decisions, overtaken })
        }
        Err(error) => {
            // A defect of ours. What was published before serves on.
            tracing::error!("translation has failed and changes nothing: {error}; please report this");
            None
        }
    }
}

/// The API server keeps times of conditions in whole seconds; finer ones would always differ from what it has.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
