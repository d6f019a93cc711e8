//! From manifests to what is to be served: everything that is done aside, before anything is changed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::manifest::Severity;
use portway_api::{ObjectKey, Snapshot};
use portway_config::{Configuration, NamespacedName};
use portway_proxy::snapshot::{Binding, GatewaySnapshot, Refused};
use portway_route::Router;
use portway_translate::{Controllers, Memory, Options, Statuses, Translation, translate_remembering};

use super::bindings::{self, Bindings};
use crate::demo_backend::DemoBackends;
use crate::endpoints::{self, EndpointOption};
use crate::issue::{Issue, OwnFault};
use crate::live::Edition;
use crate::object_name;

/// What stays the same over all changes.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) bind: Vec<IpAddr>,
    pub(crate) port_offset: u16,
    pub(crate) trusted_hops: u8,
    pub(crate) endpoints: Vec<EndpointOption>,
}

/// A Gateway as it is served, and what of it cannot be.
#[derive(Clone, Debug)]
pub(crate) struct ServedGateway {
    pub(crate) snapshot: Arc<GatewaySnapshot>,
    refused: Vec<Refused>,
}

/// What is to be served.
#[derive(Debug)]
pub(crate) struct Staged {
    /// The Gateways, the oldest first.
    pub(crate) gateways: Vec<ServedGateway>,
    pub(crate) bindings: Bindings,
    /// The addresses that each Gateway asks for or gets.
    pub(crate) addresses: BTreeMap<NamespacedName, Vec<IpAddr>>,
    /// As translation sees it: all sockets are taken to open.
    pub(crate) statuses: Statuses,
    /// Everything that is wrong, but for sockets, refused files and own faults. Not sorted.
    pub(crate) issues: Vec<Issue>,
    /// What is wrong with the texts of objects by themselves.
    pub(crate) own_faults: Vec<OwnFault>,
    pub(crate) objects: usize,
    /// Whether anything of it differs from what is served.
    pub(crate) is_new: bool,
    /// When it is to be worked out again though no manifest has changed.
    pub(crate) next_change: Option<Timestamp>,
}

/// Works out what is to be served. What stays as it is, is taken from `served`.
pub(crate) fn stage(
    edition: &Edition,
    demo_backends: Option<&mut DemoBackends>,
    settings: &Settings,
    served: &[ServedGateway],
    memory: &mut Memory,
    now: Timestamp,
) -> Staged {
    let mut snapshot = edition.snapshot.clone();
    let mut told = demo_backends.map(|it| it.serve(&mut snapshot)).unwrap_or_default();
    told.extend(endpoints::replace(&mut snapshot, &settings.endpoints));
    let translation = translate_remembering(&snapshot, &options(settings, now), memory);
    let Translation { configurations, statuses, findings, next_change } = translation;

    let configurations = by_age(configurations, &snapshot);
    let with_addresses: Vec<_> = configurations
        .iter()
        .map(|it| {
            (it, bindings::addresses(statuses.gateways.get(&object_name::key(&it.gateway)), &settings.bind))
        })
        .collect();
    let bindings = bindings::plan(&with_addresses, settings.port_offset);
    let addresses =
        with_addresses.into_iter().map(|(it, addresses)| (it.gateway.clone(), addresses)).collect();

    let mut is_new = configurations.len() != served.len();
    let mut gateways = Vec::new();
    for (configuration, before) in
        configurations.into_iter().zip(served.iter().map(Some).chain(std::iter::repeat(None)))
    {
        let sockets = bindings.of.get(&configuration.gateway).cloned().unwrap_or_default();
        let name = &configuration.gateway;
        // The order of Gateways is a part of what is served: it decides who has a port.
        is_new |= before.is_none_or(|before| before.snapshot.configuration.gateway != *name);
        let before = served.iter().find(|it| it.snapshot.configuration.gateway == *name);
        let router = memory.router(&object_name::key(&configuration.gateway));
        let (gateway, is_same) = build(configuration, sockets, before, router);
        is_new |= !is_same;
        gateways.push(gateway);
    }

    let mut issues = edition.issues.clone();
    let mut own_faults = Vec::new();
    let mut add = |issue, own_fault: Option<_>| match own_fault {
        Some(own_fault) => own_faults.push(own_fault),
        None => issues.push(issue),
    };
    for finding in &findings {
        let issue = Issue::found(finding, &edition.origins);
        let own_fault = OwnFault::found(finding, &issue);
        add(issue, own_fault);
    }
    for refused in gateways.iter().flat_map(|gateway| &gateway.refused) {
        let issue = Issue::refused(refused, &edition.origins);
        let own_fault = OwnFault::refused(refused, &issue);
        add(issue, own_fault);
    }
    issues.extend(told.into_iter().map(option_without_effect));
    let objects = count(&edition.snapshot);
    Staged { gateways, bindings, addresses, statuses, issues, own_faults, objects, is_new, next_change }
}

fn options(settings: &Settings, now: Timestamp) -> Options {
    Options {
        controllers: Controllers::Any,
        now,
        implied_namespaces: true,
        trusted_hops: settings.trusted_hops,
        default_addresses: settings.bind.clone(),
        cluster: None,
    }
}

/// The older Gateway comes first; a manifest that was never applied to a cluster names no age and is youngest.
fn by_age(configurations: BTreeMap<ObjectKey, Configuration>, snapshot: &Snapshot) -> Vec<Configuration> {
    let created = |key: &ObjectKey| {
        let gateway = snapshot.gateways.get(key)?;
        Some(gateway.metadata.creation_timestamp.as_ref()?.0)
    };
    let mut aged: Vec<_> = configurations.into_iter().map(|(key, it)| (created(&key), it)).collect();
    // By namespace and name it is sorted already.
    aged.sort_by_key(|(created, _)| created.unwrap_or(Timestamp::MAX));
    aged.into_iter().map(|(_, configuration)| configuration).collect()
}

/// Compiles a Gateway, unless it is the same as before; returns whether it is. `router` is what the translation has
/// compiled to look for rules that never match: with one router for both, routes are kept and compiled once.
fn build(
    configuration: Configuration,
    bindings: Vec<Binding>,
    before: Option<&ServedGateway>,
    router: Option<&Router>,
) -> (ServedGateway, bool) {
    let previous = before.map(|before| &*before.snapshot);
    if let Some(before) = before
        && *before.snapshot.configuration == configuration
        && before.snapshot.bindings == bindings
    {
        return (before.clone(), true);
    }
    let configuration = Arc::new(configuration);
    let (snapshot, refused) = match router.map(|router| router.recompile(&configuration)) {
        Some(router) => GatewaySnapshot::with_router(router, configuration, bindings, previous),
        None => GatewaySnapshot::build(configuration, bindings, previous),
    };
    (ServedGateway { snapshot: Arc::new(snapshot), refused }, false)
}

fn option_without_effect(message: String) -> Issue {
    Issue {
        severity: Severity::Warning,
        position: None,
        code: "option".to_owned(),
        object: None,
        field: None,
        message,
        help: None,
    }
}

/// The number of objects in a snapshot.
fn count(it: &Snapshot) -> usize {
    let cluster_scoped = it.gateway_classes.len() + it.namespaces.len() + it.cluster_trust_bundles.len();
    let routes = it.http_routes.len()
        + it.grpc_routes.len()
        + it.tls_routes.len()
        + it.tcp_routes.len()
        + it.udp_routes.len();
    let gateways = it.gateways.len()
        + it.listener_sets.len()
        + it.reference_grants.len()
        + it.backend_tls_policies.len();
    let core = it.services.len()
        + it.secrets.len()
        + it.config_maps.len()
        + it.endpoint_slices.len()
        + it.endpoints.len()
        + it.deployments.len();
    cluster_scoped + routes + gateways + core
}
