//! The life of a controller.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use portway_translate::Controllers;
use portway_translate::backend::EndpointsIndex;
use portway_xds::Publisher;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::address::Nodes;
use crate::client;
use crate::leader;
use crate::metrics::{Metrics, Sources};
use crate::options::{ControllerOptions, LEASE};
use crate::reconcile::events::EventTeller;
use crate::reconcile::policies;
use crate::reconcile::provisioning::{self, NodesOnDemand, Provisioner};
use crate::reconcile::statuses::StatusKeeper;
use crate::reconcile::translation::Translator;
use crate::status::{RoutePlan, StatusWriter};
use crate::stream::{Authority, AuthorityError, StreamServer, first_revision, tell_agents};
use crate::watch::policy::{self, PolicyObjects};
use crate::watch::{Installed, Store, Watches, nodes};

/// Pause before something that the API server refused is tried again at start.
const RETRY: Duration = Duration::from_secs(1);

/// Why a controller could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing tells where the API server is.
    #[error("there is no way to the API server: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The stream's certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// What the outside may ask a running controller.
#[derive(Clone, Debug)]
pub struct Health {
    store: Arc<Store>,
    leads: watch::Receiver<bool>,
    publisher: Publisher,
    metrics: Metrics,
}

impl Health {
    /// Kinds whose first list is not complete: until there is none, the controller does nothing.
    pub fn awaited(&self) -> Vec<&'static str> {
        self.store.awaited()
    }

    /// Whether this controller is the one that writes.
    pub fn leads(&self) -> bool {
        *self.leads.borrow()
    }

    /// All metrics, in the text form of OpenMetrics ([`crate::metrics::CONTENT_TYPE`]).
    pub fn metrics(&self) -> String {
        let Self { store, leads, publisher, metrics } = self.clone();
        metrics.encode(&Sources { store, leads, publisher })
    }
}

/// Runs a controller until `stop` turns true. `started` is called when its state can be asked.
///
/// # Errors
///
/// It could not start.
pub async fn run(
    options: ControllerOptions,
    mut stop: watch::Receiver<bool>,
    started: impl FnOnce(Health),
) -> Result<(), StartError> {
    let metrics = Metrics::default();
    let client = client::connect(&metrics).await.map_err(StartError::Client)?;
    let options = Arc::new(options);
    let store = Arc::new(Store::default());
    let (leads, led) = watch::channel(false);
    let watches = Watches::start(&client, &store, &metrics);
    let publisher = Publisher::new(first_revision(Timestamp::now()), Timestamp::now);
    started(Health {
        store: Arc::clone(&store),
        leads: led.clone(),
        publisher: publisher.clone(),
        metrics: metrics.clone(),
    });
    let authority = tokio::select! {
        authority = authority(&client, &options.namespace) => Arc::new(authority?),
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    };
    let installed = watches.installed.clone();
    let parts = Parts {
        client: client.clone(),
        options: Arc::clone(&options),
        store,
        installed,
        authority,
        leads: led,
        publisher,
        metrics,
    };
    let mut tasks = parts.start();
    let identity = options.pod.clone();
    leader::elect(client, options.namespace.clone(), LEASE.to_owned(), identity, leads, stop).await;
    drop(watches);
    tasks.shutdown().await;
    Ok(())
}

/// What the parts of a controller share.
struct Parts {
    client: Client,
    options: Arc<ControllerOptions>,
    store: Arc<Store>,
    installed: watch::Receiver<Installed>,
    authority: Arc<Authority>,
    leads: watch::Receiver<bool>,
    publisher: Publisher,
    metrics: Metrics,
}

impl Parts {
    fn start(self) -> JoinSet<()> {
        let Self { client, options, store, installed, authority, leads, publisher, metrics } = self;
        let (published, follow) = watch::channel(None);
        let (statuses, follow_statuses) = watch::channel(0);
        let mut tasks = JoinSet::new();
        let controllers = Controllers::Named(options.controller_names.clone());
        let provisioner =
            Provisioner::new(&client, Arc::clone(&store), &options, &authority.certificate, &metrics);
        let events = EventTeller::new(client.clone(), options.pod.clone(), metrics.clone());
        tasks.spawn(events.run(follow.clone(), leads.clone()));
        tasks.spawn(
            StatusKeeper {
                store: Arc::clone(&store),
                controllers: controllers.clone(),
                published: follow.clone(),
                statuses: follow_statuses,
                acknowledgements: publisher.acknowledgements(),
                faults: provisioner.faults(),
                leads: leads.clone(),
                writer: StatusWriter::new(client.clone(), Arc::clone(&store), metrics.clone()),
                routes: RoutePlan::default(),
                index: EndpointsIndex::default(),
                agents: options.agents(),
                refusals: BTreeSet::new(),
            }
            .run(),
        );
        let (are_needed, follow_need) = watch::channel(false);
        let (nodes, follow_nodes) = watch::channel(Nodes::default());
        tasks.spawn(nodes::follow(client.clone(), follow_need, nodes, Arc::clone(&store), metrics.clone()));
        let policy = options.agent_service_account.is_some().then(|| {
            let (objects, follow) = watch::channel(PolicyObjects::default());
            tasks.spawn(policy::follow(client.clone(), objects, metrics.clone()));
            tasks.spawn(policies::warn(Arc::clone(&store), follow.clone(), leads.clone()));
            follow
        });
        let translator = Translator {
            store: Arc::clone(&store),
            publisher: publisher.clone(),
            policy,
            agents: options.agents(),
            options: provisioning::translate_options(
                controllers,
                options.trusted_hops,
                installed,
                store,
                provisioner.refused(),
                NodesOnDemand { are_needed, nodes: follow_nodes },
            ),
            published,
            statuses,
            metrics,
        };
        tasks.spawn(translator.run());
        let gateway_of = provisioning::gateway_of(follow.clone(), &options);
        if options.agent_service_account.is_some() {
            let certificate = authority.certificate.clone();
            tasks.spawn(tell_agents(client.clone(), options.namespace.clone(), certificate));
        }
        let stream = StreamServer { client, options, authority, publisher, gateway_of };
        let stream_leads = leads.clone();
        tasks.spawn(async move {
            if let Err(error) = stream.run(stream_leads).await {
                tracing::error!("no proxy can be served: {error}");
            }
        });
        tasks.spawn(provisioner.run(follow, leads));
        tasks
    }
}

/// The authority, as soon as the API server gives it.
async fn authority(client: &Client, namespace: &str) -> Result<Authority, AuthorityError> {
    let mut told = String::new();
    loop {
        match Authority::load(client.clone(), namespace).await {
            Err(error @ AuthorityError::Secret { .. }) => {
                let error = error.to_string();
                if error != told {
                    tracing::warn!("{error}; trying again until it is there");
                }
                told = error;
                sleep(RETRY).await;
            }
            result => return result,
        }
    }
}
