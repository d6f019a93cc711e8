//! What serves each Gateway follows what is published, and is repaired where others change it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use kube::Client;
use portway_api::portway_parameters::ServiceType;
use portway_api::{Gateway, ObjectKey, Snapshot};
use portway_config::{NamespacedName, node_agents};
use portway_translate::{ClusterOptions, Controllers, Options, parameters};
use portway_xds::Identity;
use portway_xds::server::GatewayOf;
use tokio::sync::watch;
use tokio::time::sleep;

use super::data_plane::key;
use super::translation::{Decisions, Published};
use crate::address::{self, Known, Nodes, RefusedClusterIp, RefusedClusterIps};
use crate::limits::{GATEWAYS_AT_ONCE, PROVISION_RETRY};
use crate::metrics::Metrics;
use crate::options::ControllerOptions;
use crate::provision::{
    Applied, Applier, Demand, Live, LiveWatches, ProvisionError, ProvisionSettings, desired, naming,
    served_ports,
};
use crate::watch::{Installed, Store};

/// Keeps what serves each Gateway as it should be, while this controller leads.
pub(crate) struct Provisioner {
    applier: Applier,
    live: Live,
    store: Arc<Store>,
    _watches: LiveWatches,
    settings: ProvisionSettings,
    /// What was logged of each Gateway last.
    told: BTreeMap<ObjectKey, Applied>,
    /// What stands in the way of serving each Gateway, for its status.
    faults: watch::Sender<Faults>,
    /// The ClusterIPs that Services cannot have, for the next decision.
    refused: watch::Sender<RefusedClusterIps>,
}

/// What stands in the way of serving each Gateway.
pub(crate) type Faults = BTreeMap<ObjectKey, String>;

impl Provisioner {
    pub(crate) fn new(
        client: &Client,
        store: Arc<Store>,
        options: &ControllerOptions,
        authority: &str,
        metrics: &Metrics,
    ) -> Self {
        let (live, watches) = Live::start(client, metrics);
        let settings = ProvisionSettings {
            image: options.image.clone(),
            image_pull_policy: options.image_pull_policy.clone(),
            controller: format!(
                "{}.{}.svc:{}",
                options.service,
                options.namespace,
                options.stream_bind.port()
            ),
            controller_ca: authority.to_owned(),
        };
        let applier = Applier::new(client.clone(), live.clone(), metrics.clone());
        Self {
            applier,
            live,
            store,
            _watches: watches,
            settings,
            told: BTreeMap::new(),
            faults: watch::Sender::default(),
            refused: watch::Sender::default(),
        }
    }

    /// The ClusterIPs that Services cannot have.
    pub(crate) fn refused(&self) -> watch::Receiver<RefusedClusterIps> {
        self.refused.subscribe()
    }

    /// What stands in the way of serving each Gateway, now and whenever that changes.
    pub(crate) fn faults(&self) -> watch::Receiver<Faults> {
        self.faults.subscribe()
    }

    /// Follows, for ever.
    pub(crate) async fn run(
        mut self,
        mut published: watch::Receiver<Option<Arc<Published>>>,
        mut leads: watch::Receiver<bool>,
    ) {
        let mut live = self.live.subscribe();
        let mut is_again = false;
        loop {
            let again =
                async { if is_again { sleep(PROVISION_RETRY).await } else { std::future::pending().await } };
            let is_open = tokio::select! {
                it = published.changed() => it.is_ok(),
                it = live.changed() => it.is_ok(),
                it = leads.changed() => it.is_ok(),
                () = again => true,
            };
            if !is_open {
                return;
            }
            if !*leads.borrow() || !self.live.is_complete() {
                continue;
            }
            let current = published.borrow_and_update().clone();
            live.mark_unchanged();
            if let Some(current) = current {
                is_again = !self.keep(&current).await;
            }
        }
    }

    /// Brings up what is missing and takes away what is too much; returns whether all could be done.
    async fn keep(&mut self, published: &Published) -> bool {
        let gateways = published.snapshot.gateways.iter();
        let futures: Vec<_> = gateways.map(|(name, gateway)| self.serve(published, name, gateway)).collect();
        let served: Vec<_> = stream::iter(futures).buffer_unordered(GATEWAYS_AT_ONCE).collect().await;
        let (mut is_done, mut faults) = (true, Faults::new());
        for (name, applied) in served.into_iter().flatten() {
            if self.note_refusal(published, name, &applied) {
                // What is at fault is an entry of `spec.addresses`; the next decision does without it.
                self.store.reconsider();
                self.tell(name, applied);
                continue;
            }
            is_done &= applied.errors.is_empty();
            if let Some(error) = applied.errors.iter().find(|it| !it.is_transient()) {
                faults.insert(name.clone(), format!("The Gateway cannot be served: {error}."));
            }
            self.tell(name, applied);
        }
        self.faults.send_if_modified(|told| std::mem::replace(told, faults.clone()) != faults);
        self.refused.send_modify(|all| all.retain(|name, _| published.snapshot.gateways.contains_key(name)));
        is_done
    }

    /// Does what is to be done for one Gateway; None where that is nothing.
    async fn serve<'a>(
        &self,
        published: &Published,
        name: &'a ObjectKey,
        gateway: &Gateway,
    ) -> Option<(&'a ObjectKey, Applied)> {
        let Some(status) = published.translation.statuses.gateways.get(name) else {
            return self.leave(published, gateway).await.map(|applied| (name, applied));
        };
        // What is published may be older than the deletion; what was deleted with the Gateway must not come back.
        let now = self.store.gateway(name);
        let is_there = now.is_some_and(|now| {
            now.metadata.uid == gateway.metadata.uid && now.metadata.deletion_timestamp.is_none()
        });
        if status.conditions.is_empty() || !is_there || !self.store.is_open(&name.namespace) {
            return None;
        }
        Some((name, self.keep_gateway(published, name, gateway).await))
    }

    /// Takes away what served a Gateway that another controller has by now. One whose class is gone keeps what it has: to
    /// delete a class by mistake must not end all traffic.
    async fn leave(&self, published: &Published, gateway: &Gateway) -> Option<Applied> {
        let class = &gateway.spec.gateway_class_name;
        if !published.snapshot.gateway_classes.contains_key(class) {
            return None;
        }
        Some(self.applier.remove(gateway).await).filter(|applied| *applied != Applied::default())
    }

    async fn keep_gateway(&self, published: &Published, name: &ObjectKey, gateway: &Gateway) -> Applied {
        let configured = NamespacedName::new(name.namespace.as_str(), name.name.as_str());
        // One that is not accepted keeps what it has: a mistake in its spec must not take its address away.
        let Some(configuration) = published.configurations.get(&configured) else {
            return Applied::default();
        };
        let decision = published.decisions.get(name).cloned().unwrap_or_default();
        let parameters = parameters::merged(&published.snapshot, gateway);
        let ports = served_ports(configuration);
        let demand =
            Demand { gateway, parameters: &parameters, ports: &ports, addressing: &decision.service };
        self.applier.apply(gateway, &desired(&demand, &self.settings)).await
    }

    /// Notes that the API server does not give the Service the ClusterIP that a Gateway asks for; whether that is new.
    fn note_refusal(&self, published: &Published, name: &ObjectKey, applied: &Applied) -> bool {
        let asked = published.decisions.get(name).and_then(|it| it.service.cluster_ip);
        let message = applied.errors.iter().find_map(ProvisionError::refused_cluster_ip);
        let Some((address, message)) = asked.zip(message) else { return false };
        let refused = RefusedClusterIp { address, message: message.to_owned() };
        self.refused
            .send_if_modified(|all| all.insert(name.clone(), refused.clone()).is_none_or(|it| it != refused))
    }

    fn tell(&mut self, gateway: &ObjectKey, applied: Applied) {
        let before = self.told.get(gateway).map(|it| it.errors.as_slice()).unwrap_or_default();
        for error in applied.errors.iter().filter(|error| !before.contains(error)) {
            tracing::error!("Gateway {gateway}: {error}");
        }
        if applied.written > 0 {
            tracing::info!("Gateway {gateway}: {} of the objects that serve it are written", applied.written);
        }
        self.told.insert(gateway.clone(), applied);
    }
}

/// The nodes, which are watched only while a Gateway is reached at them.
pub(crate) struct NodesOnDemand {
    pub(crate) are_needed: watch::Sender<bool>,
    pub(crate) nodes: watch::Receiver<Nodes>,
}

/// The options of a translation, and the decisions on addresses that they are made of.
pub(crate) fn translate_options(
    controllers: Controllers,
    trusted_hops: u8,
    installed: watch::Receiver<Installed>,
    store: Arc<Store>,
    refused: watch::Receiver<RefusedClusterIps>,
    nodes: NodesOnDemand,
) -> impl Fn(&Snapshot, Timestamp) -> (Options, Decisions) + Send + Sync + 'static {
    let last = Mutex::new(Decisions::default());
    move |snapshot, now| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = refused.borrow().clone();
        let of_nodes = nodes.nodes.borrow().clone();
        let known = Known { decided: &last, refused: &refused, nodes: &of_nodes };
        let decisions = address::assign(snapshot, &controllers, known);
        let are_needed = decisions.values().any(|it| it.service.kind == ServiceType::NodePort);
        nodes.are_needed.send_if_modified(|told| std::mem::replace(told, are_needed) != are_needed);
        last.clone_from(&decisions);
        let addresses = decisions.iter().map(|(key, it)| (key.clone(), it.outcomes.clone())).collect();
        let taken_ports = decisions.iter().map(|(key, it)| (key.clone(), it.taken_ports())).collect();
        let options = Options {
            controllers: controllers.clone(),
            now,
            implied_namespaces: false,
            trusted_hops,
            default_addresses: Vec::new(),
            cluster: Some(ClusterOptions {
                addresses,
                taken_ports,
                bundle_versions: installed.borrow().releases(),
                lacks_trust_bundles: store.version("ClusterTrustBundle").is_none(),
            }),
        };
        (options, decisions)
    }
}

/// Whose proxies an identity belongs to: the ServiceAccount of a Gateway's proxies has the name of all that serves it.
/// The node agents have one of their own.
pub(crate) fn gateway_of(
    published: watch::Receiver<Option<Arc<Published>>>,
    options: &Arc<ControllerOptions>,
) -> GatewayOf {
    let options = Arc::clone(options);
    Arc::new(move |identity: &Identity| {
        let is_agent = options.agent_service_account.as_deref() == Some(&*identity.service_account)
            && *options.namespace == *identity.namespace;
        if is_agent {
            return Some(node_agents());
        }
        let published = published.borrow().clone()?;
        let mut gateways =
            published.configurations.keys().filter(|name| name.namespace == identity.namespace);
        gateways
            .find(|name| {
                let gateway = published.snapshot.gateways.get(&key(name));
                gateway.is_some_and(|it| {
                    naming::name(it.name(), &it.spec.gateway_class_name) == *identity.service_account
                })
            })
            .cloned()
    })
}
