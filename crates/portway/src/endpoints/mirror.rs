//! The older Endpoints objects as EndpointSlices.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portway_api::ObjectKey;
use portway_api::core::{
    Endpoint, EndpointConditions, EndpointPort, EndpointSlice, EndpointSubset, Endpoints, ObjectMeta,
};
use portway_translate::backend::endpoints::SERVICE_NAME_LABEL;

/// Slices that say what an Endpoints object says: one for each subset and address family.
pub(super) fn mirrored(endpoints: &Endpoints) -> impl Iterator<Item = EndpointSlice> {
    let key = ObjectKey::of(&endpoints.metadata);
    let subsets = endpoints.subsets.iter().flatten().enumerate();
    subsets.flat_map(move |(number, subset)| {
        let key = key.clone();
        ["IPv4", "IPv6"].into_iter().map(move |family| slice(&key, number, family, subset))
    })
}

fn slice(key: &ObjectKey, number: usize, family: &str, subset: &EndpointSubset) -> EndpointSlice {
    let is_of_family = |ip: &str| ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4() == (family == "IPv4"));
    let ready = subset.addresses.iter().flatten().map(|it| (it, true));
    let not_ready = subset.not_ready_addresses.iter().flatten().map(|it| (it, false));
    let endpoints =
        ready.chain(not_ready).filter(|(address, _)| is_of_family(&address.ip)).map(|(address, is_ready)| {
            Endpoint {
                addresses: vec![address.ip.clone()],
                conditions: Some(EndpointConditions {
                    ready: Some(is_ready),
                    ..EndpointConditions::default()
                }),
                ..Endpoint::default()
            }
        });
    let ports = subset.ports.iter().flatten().map(|port| EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: port.protocol.clone(),
        app_protocol: port.app_protocol.clone(),
    });
    EndpointSlice {
        address_type: family.to_owned(),
        endpoints: Some(endpoints.collect()),
        metadata: ObjectMeta {
            name: Some(format!("{}-endpoints-{number}-{}", key.name, family.to_ascii_lowercase())),
            namespace: Some(key.namespace.clone()),
            labels: Some(BTreeMap::from([(SERVICE_NAME_LABEL.to_owned(), key.name.clone())])),
            ..ObjectMeta::default()
        },
        ports: Some(ports.collect()),
    }
}
