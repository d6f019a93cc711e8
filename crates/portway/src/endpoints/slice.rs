//! Making EndpointSlices.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portway_api::core::{Endpoint, EndpointPort, EndpointSlice, ObjectMeta, Service, ServicePort};
use portway_api::{ObjectKey, Snapshot};
use portway_translate::backend::endpoints::SERVICE_NAME_LABEL;

use super::option::Host;

/// One endpoint of a Service, which serves all of `ports` on one port of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replica<'a> {
    /// The Service's name and this make the slice's name.
    pub(crate) suffix: &'a str,
    pub(crate) host: &'a Host,
    pub(crate) port: u16,
}

/// A slice with one endpoint. All endpoints of a slice share their ports, so that endpoints with different ports
/// need one slice each.
pub(crate) fn slice<'a>(
    service: &Service,
    ports: impl IntoIterator<Item = &'a ServicePort>,
    replica: Replica<'_>,
) -> EndpointSlice {
    let key = ObjectKey::of(&service.metadata);
    let (address_type, address) = match replica.host {
        Host::Address(IpAddr::V4(ip)) => ("IPv4", ip.to_string()),
        Host::Address(IpAddr::V6(ip)) => ("IPv6", ip.to_string()),
        Host::Name(name) => ("FQDN", name.clone()),
    };
    let ports = ports.into_iter().map(|port| EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(replica.port.into()),
        protocol: Some(protocol(port).to_owned()),
        app_protocol: port.app_protocol.clone(),
    });
    EndpointSlice {
        address_type: address_type.to_owned(),
        endpoints: Some(vec![Endpoint { addresses: vec![address], ..Endpoint::default() }]),
        metadata: ObjectMeta {
            name: Some(format!("{}-{}", key.name, replica.suffix)),
            namespace: Some(key.namespace),
            labels: Some(BTreeMap::from([(SERVICE_NAME_LABEL.to_owned(), key.name)])),
            ..ObjectMeta::default()
        },
        ports: Some(ports.collect()),
    }
}

/// The protocol of a Service's port with its default.
pub(super) fn protocol(port: &ServicePort) -> &str {
    port.protocol.as_deref().unwrap_or("TCP")
}

/// Whether a slice is for the Service.
pub(super) fn is_of(slice: &EndpointSlice, service: &ObjectKey) -> bool {
    let label = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME_LABEL));
    label == Some(&service.name) && ObjectKey::of(&slice.metadata).namespace == service.namespace
}

/// The keys of the slices of a Service.
pub(super) fn keys_of(snapshot: &Snapshot, service: &ObjectKey) -> Vec<ObjectKey> {
    let of_service = snapshot.endpoint_slices.iter().filter(|(_, slice)| is_of(slice, service));
    of_service.map(|(key, _)| key.clone()).collect()
}
