//! Addresses of nodes, for proxies that use the network of theirs.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portway_api::{ObjectKey, Snapshot};
use portway_translate::backend::endpoints::SERVICE_NAME_LABEL;

/// The addresses of the proxies that are ready: in the network of the node they are the node's.
pub(super) fn addresses(snapshot: &Snapshot, service: &ObjectKey) -> Vec<IpAddr> {
    let of_namespace = snapshot
        .endpoint_slices
        .range_from(&ObjectKey::new(service.namespace.as_str(), ""))
        .take_while(|(key, _)| key.namespace == service.namespace);
    let slices = of_namespace.filter(|(_, slice)| {
        let labels = slice.metadata.labels.as_ref();
        labels.and_then(|it| it.get(SERVICE_NAME_LABEL)) == Some(&service.name)
    });
    let endpoints = slices.filter_map(|(_, slice)| slice.endpoints.as_ref()).flatten();
    let ready = endpoints.filter(|it| it.conditions.as_ref().and_then(|it| it.ready) != Some(false));
    let addresses = ready.flat_map(|it| &it.addresses).filter_map(|it| it.parse().ok());
    addresses.collect::<BTreeSet<_>>().into_iter().collect()
}
