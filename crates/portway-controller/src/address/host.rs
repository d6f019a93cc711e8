//! Addresses of nodes: for proxies that use the network of theirs, and for Services of type NodePort.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portway_api::core::Endpoint;
use portway_api::portway_parameters::TrafficPolicy;
use portway_api::{ObjectKey, Snapshot};
use portway_translate::backend::endpoints::SERVICE_NAME_LABEL;

use super::claimant::Claimant;

/// The nodes that take traffic from outside, by name. Empty where nobody knows of any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// Each of them.
    pub by_name: BTreeMap<String, NodeAddresses>,
}

/// The addresses of one node (`NodeStatus.addresses`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAddresses {
    /// Of type ExternalIP: reachable from everywhere.
    pub external: Vec<IpAddr>,
    /// Of type InternalIP: reachable within the network of the nodes.
    pub internal: Vec<IpAddr>,
}

/// The addresses of the proxies that are ready: in the network of the node they are the node's.
pub(super) fn addresses(snapshot: &Snapshot, service: &ObjectKey) -> Vec<IpAddr> {
    let addresses = ready(snapshot, service).flat_map(|it| &it.addresses).filter_map(|it| it.parse().ok());
    addresses.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Where a Service of type NodePort is reached: at every node, or with `externalTrafficPolicy: Local` at those of ready
/// proxies. Internal addresses are told only where no node has an external one.
pub(super) fn node_port_addresses(
    snapshot: &Snapshot,
    claimant: &Claimant<'_>,
    nodes: &Nodes,
) -> Vec<IpAddr> {
    let service = claimant.parameters.service.as_ref();
    let is_local = service.and_then(|it| it.external_traffic_policy) == Some(TrafficPolicy::Local);
    let carriers: BTreeSet<_> =
        ready(snapshot, &claimant.service_key).filter_map(|it| it.node_name.as_deref()).collect();
    let reached = nodes.by_name.iter().filter(|(name, _)| !is_local || carriers.contains(name.as_str()));
    let reached: Vec<_> = reached.map(|(_, addresses)| addresses).collect();
    let of = |addresses: fn(&NodeAddresses) -> &Vec<IpAddr>| -> BTreeSet<IpAddr> {
        let all = reached.iter().flat_map(|it| addresses(it)).copied();
        all.filter(|it| claimant.has_family_of(*it)).collect()
    };
    let external = of(|it| &it.external);
    let told = if external.is_empty() { of(|it| &it.internal) } else { external };
    told.into_iter().collect()
}

/// The endpoints of a Service that are ready.
fn ready<'a>(snapshot: &'a Snapshot, service: &'a ObjectKey) -> impl Iterator<Item = &'a Endpoint> {
    let of_namespace = snapshot
        .endpoint_slices
        .range_from(&ObjectKey::new(service.namespace.as_str(), ""))
        .take_while(|(key, _)| key.namespace == service.namespace);
    let slices = of_namespace.filter(|(_, slice)| {
        let labels = slice.metadata.labels.as_ref();
        labels.and_then(|it| it.get(SERVICE_NAME_LABEL)) == Some(&service.name)
    });
    let endpoints = slices.filter_map(|(_, slice)| slice.endpoints.as_ref()).flatten();
    endpoints.filter(|it| it.conditions.as_ref().and_then(|it| it.ready) != Some(false))
}
