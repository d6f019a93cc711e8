//! The life of an agent: start, follow the controller, end and leave everything in place.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use portway_config::node_agents;
use portway_proxy::observe::{LogFormat, ObserveOptions, Observer};
use portway_route::Router;
use portway_translate::Statuses;
use portway_xds::client::RefusedByProxy;
use portway_xds::{Client, Refusal, Report, ResourceKey, Update};

use super::announce::{AnnounceOptions, Announcing};
use super::cluster;
use super::policy::{self, Policing, PolicyOptions};
use crate::admin::{AdminServer, AdminState};
use crate::cli::{AgentServeArgs, StreamArgs, Switch};
use crate::kernel_path::{KernelPath, Path};
use crate::proxy_mode::{StartError, client_options};
use crate::standalone::Published;
use crate::standalone::signals::{Asked, Signals};
use crate::wording::counted;

/// Serves until a signal asks to end. Programs and maps stay in the kernel.
///
/// # Errors
///
/// It could not start.
pub(super) fn run(args: AgentServeArgs, stream: StreamArgs) -> Result<(), StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Threads)?;
    runtime.block_on(serve(args, stream))
}

async fn serve(args: AgentServeArgs, stream: StreamArgs) -> Result<(), StartError> {
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    let kernel_path = KernelPath::for_node(args.node_address, args.pins.clone(), args.drain_timeout);
    let options = ObserveOptions { log: LogFormat::Off, ..ObserveOptions::default() };
    let observer = Arc::new(Observer::new(options, Box::new(std::io::sink())));
    let policing = policing(&args)?;
    let announcing = announcing(&args)?;
    let mut state = AdminState::new(observer).with_kernel_path(kernel_path.clone());
    if let Some(policing) = &policing {
        let seen = policing.seen();
        kernel_path.number_gateways_by(seen.gateways());
        kernel_path.come_after(Box::new(move || seen.ahead()));
        state = state.with_policy(policing.seen());
    }
    if let Some(announcing) = &announcing {
        state = state.with_announcements(announcing.seen());
    }
    let state = Arc::new(state);
    let admin = AdminServer::start(args.admin, Arc::clone(&state))
        .map_err(|error| StartError::Admin { address: args.admin, error })?;
    tracing::info!(
        "agent of the node {}, controlled by {}; http://{}/ answers questions",
        args.node_address,
        stream.controller,
        admin.address()
    );
    let (namespace, node) = (args.lease_namespace.clone(), args.node_name.clone());
    let cluster = async {
        match (&announcing, node) {
            (Some(it), Some(node)) => cluster::follow(namespace, node, it.seen(), it).await,
            _ => std::future::pending().await,
        }
    };
    let mut cluster = Box::pin(cluster);
    // What it needs for a start without a controller is in the kernel, so it keeps nothing on the disk.
    let mut client = Client::start(client_options(stream, node_agents(), None));
    let mut serial = None;
    loop {
        tokio::select! {
            update = client.next() => {
                let configuration = Arc::clone(&update.configuration);
                policing.iter().for_each(|it| it.follow(&configuration));
                let of_update = apply(&kernel_path, &state, update);
                // Behind the programs: what is announced must be served.
                announcing.iter().for_each(|it| it.follow(&configuration));
                client.report(report(of_update, &kernel_path));
                serial = Some(of_update);
            }
            // Before there is anything to follow, the kernel goes on as it was left.
            () = kernel_path.attend(), if serial.is_some() => {
                client.report(report(serial.unwrap_or_default(), &kernel_path));
            }
            // It never ends by itself.
            () = &mut cluster => {}
            asked = signals.next() => if asked == Asked::Stop { break },
        }
    }
    client.stop().await;
    drop(cluster);
    if let Some(announcing) = announcing {
        announcing.stop();
    }
    if let Some(policing) = policing {
        policing.stop();
    }
    tracing::info!("ending; the kernel goes on with what it has");
    admin.stop();
    Ok(())
}

/// What the kernel serves of an update: it is in the maps. What it leaves to the node's own stack is refused.
fn report(serial: u64, kernel_path: &KernelPath) -> Report {
    let mut refused = BTreeMap::new();
    for path in kernel_path.paths() {
        if let (Path::Proxy, Some(listener)) = (path.path, path.key) {
            refused.entry(ResourceKey::Exposure(listener)).or_insert(path.message);
        }
    }
    let refused = refused
        .into_iter()
        .map(|(key, message)| RefusedByProxy { refusal: Refusal::new(key, message), keeps_last_good: false });
    Report { serial, refused: refused.collect() }
}

/// Brings the kernel to an update; returns its number.
fn apply(kernel_path: &KernelPath, state: &AdminState, update: Update) -> u64 {
    let Update { serial, revision, configuration, .. } = update;
    let (router, refused) = Router::compile(&configuration);
    let is_first = state.published().is_none();
    let listeners = configuration.exposures.len();
    kernel_path.follow_cluster(configuration, router);
    let by_kernel = |path| kernel_path.paths().iter().filter(|it| it.path == path).count();
    if is_first {
        let (listeners, whole) = (counted(listeners, "listener"), by_kernel(Path::Kernel));
        let to_proxies = by_kernel(Path::KernelToProxy);
        tracing::info!(%revision, "{listeners}; of their addresses the kernel serves {whole} by itself, {to_proxies} by proxies");
    }
    for it in &refused {
        tracing::warn!(%revision, "left to the proxies: {it:?}");
    }
    state.publish(Arc::new(Published {
        revision,
        since: Timestamp::now(),
        gateways: Vec::new(),
        refused_sockets: Vec::new(),
        statuses: Statuses::default(),
        issues: Vec::new(),
        refused: Vec::new(),
    }));
    serial
}

fn policing(args: &AgentServeArgs) -> Result<Option<Policing>, StartError> {
    let (Switch::On, Some(node)) = (args.policy, &args.node_name) else {
        policy::lift(&args.pins);
        return Ok(None);
    };
    let options = PolicyOptions {
        node: node.as_str().into(),
        node_address: args.node_address,
        services: args.service_network.clone(),
        pods: args.pod_network.clone(),
        pins: args.pins.clone(),
    };
    Policing::start(options).map(Some).map_err(StartError::Threads)
}

fn announcing(args: &AgentServeArgs) -> Result<Option<Announcing>, StartError> {
    let Some(node) = &args.node_name else { return Ok(None) };
    let options = AnnounceOptions {
        node: node.as_str().into(),
        interfaces: args.announce_interface.clone(),
        pins: args.pins.clone(),
    };
    Announcing::start(options).map(Some).map_err(StartError::Threads)
}
