//! The endpoints of a port of a Service.
//!
//! They come from EndpointSlices; from the older Endpoints object where a Service has no slice; or,
//! for a Service of type ExternalName, from its DNS name. Nothing here looks at a route, so that an
//! endpoint change alone need not translate routes anew.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use portway_api::core::{
    EndpointConditions, EndpointSlice, Endpoints as EndpointsObject, Service, ServicePort,
};
use portway_api::{Namespaced, ObjectKey, Snapshot};
use portway_config::EndpointsKey;
use portway_config::backend::{Endpoint, EndpointAddress, EndpointState, Endpoints};
use portway_shared_map::SharedMap;

use super::service;

/// The label by which an EndpointSlice names its Service.
pub const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// The endpoints behind one key. For many keys, keep an [`EndpointsIndex`].
pub fn endpoints(snapshot: &Snapshot, key: &EndpointsKey) -> Endpoints {
    EndpointsIndex::new(snapshot).of(snapshot).endpoints(key)
}

/// The EndpointSlices of one Service, by name.
type Slices = BTreeMap<String, Arc<EndpointSlice>>;

/// EndpointSlices by the Service that they name. It goes along with the slices from state to state, and looks at no more
/// than what is different.
#[derive(Clone, Debug, Default)]
pub struct EndpointsIndex {
    seen: Namespaced<EndpointSlice>,
    by_service: SharedMap<ObjectKey, Arc<Slices>>,
}

impl EndpointsIndex {
    /// Of all slices in the snapshot.
    pub fn new(snapshot: &Snapshot) -> Self {
        let mut index = Self::default();
        index.follow(snapshot);
        index
    }

    /// Takes in the slices of a later state. Returns the Services that have others now.
    pub fn follow(&mut self, snapshot: &Snapshot) -> BTreeSet<ObjectKey> {
        let before = std::mem::replace(&mut self.seen, snapshot.endpoint_slices.clone());
        let mut services = BTreeSet::new();
        for it in before.replaced(&snapshot.endpoint_slices) {
            if let Some(service) = it.before.and_then(|slice| service_of(it.key, slice)) {
                self.change(&service, |slices| drop(slices.remove(&it.key.name)));
                services.insert(service);
            }
            if let Some((service, slice)) =
                it.after.and_then(|slice| Some((service_of(it.key, slice)?, slice)))
            {
                self.change(&service, |slices| drop(slices.insert(it.key.name.clone(), Arc::clone(slice))));
                services.insert(service);
            }
        }
        services
    }

    fn change(&mut self, service: &ObjectKey, change: impl FnOnce(&mut Slices)) {
        let mut slices = self.by_service.remove(service).unwrap_or_default();
        change(Arc::make_mut(&mut slices));
        if !slices.is_empty() {
            self.by_service.insert(service.clone(), slices);
        }
    }

    /// The slices of a Service.
    pub fn slices(&self, service: &ObjectKey) -> impl Iterator<Item = &EndpointSlice> {
        self.by_service.get(service).into_iter().flat_map(|slices| slices.values()).map(|slice| &**slice)
    }

    /// With the other objects that endpoints depend on, of the state that was followed last.
    pub fn of<'a>(&'a self, snapshot: &'a Snapshot) -> IndexedEndpoints<'a> {
        IndexedEndpoints { snapshot, index: self }
    }
}

/// The Service that an EndpointSlice names: one of its own namespace.
fn service_of(key: &ObjectKey, slice: &EndpointSlice) -> Option<ObjectKey> {
    let service = slice.metadata.labels.as_ref()?.get(SERVICE_NAME_LABEL)?;
    Some(ObjectKey::new(key.namespace.as_str(), service.as_str()))
}

/// Finds endpoints by an index.
#[derive(Clone, Copy, Debug)]
pub struct IndexedEndpoints<'a> {
    snapshot: &'a Snapshot,
    index: &'a EndpointsIndex,
}

impl IndexedEndpoints<'_> {
    /// The endpoints behind one key, sorted; none where the Service or the port does not exist. As proxies are told: which
    /// nodes they are on is no matter.
    pub fn endpoints(&self, key: &EndpointsKey) -> Endpoints {
        let mut endpoints = self.endpoints_on_nodes(key);
        endpoints.endpoints.iter_mut().for_each(|it| it.node = None);
        endpoints
    }

    /// The same, with the nodes that they are on.
    pub fn endpoints_on_nodes(&self, key: &EndpointsKey) -> Endpoints {
        let mut endpoints = self.unsorted(key).unwrap_or_default();
        // The same address may stand in several slices while it moves from one to the other; the
        // better state sorts first and is kept.
        endpoints.sort();
        endpoints.dedup_by(|later, earlier| later.address == earlier.address);
        Endpoints { key: key.clone(), endpoints }
    }

    fn unsorted(&self, key: &EndpointsKey) -> Option<Vec<Endpoint>> {
        let object_key = ObjectKey::new(&*key.service.namespace, &*key.service.name);
        let service = self.snapshot.services.get(&object_key)?;
        if let Some(name) = service::external_name(service) {
            return Some(vec![external_endpoint(name, key.port)]);
        }
        let port = service::port(service, key)?;
        let publish_not_ready =
            service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false);
        if self.index.by_service.contains_key(&object_key) {
            let slices = self.index.slices(&object_key);
            return Some(slices.flat_map(|it| from_slice(it, port, publish_not_ready)).collect());
        }
        let object = self.snapshot.endpoints.get(&object_key)?;
        Some(from_object(object, port, publish_not_ready))
    }

    /// Whether any object lists endpoints of a Service, right or wrong ones.
    pub(crate) fn is_listed(&self, service: &Service) -> bool {
        let key = ObjectKey::of(&service.metadata);
        self.index.by_service.contains_key(&key) || self.snapshot.endpoints.contains_key(&key)
    }

    /// Why a port of a Service has no endpoints, as far as the objects tell: a clause for a message.
    pub(crate) fn absence(&self, service: &Service, port: Option<&ServicePort>) -> String {
        let key = ObjectKey::of(&service.metadata);
        if !self.index.by_service.contains_key(&key) {
            return if self.snapshot.endpoints.contains_key(&key) {
                "its Endpoints object lists no address for this port".to_owned()
            } else {
                "no EndpointSlice names it".to_owned()
            };
        }
        let wanted = port.and_then(|port| port.name.as_deref()).unwrap_or_default();
        let ports = self.index.slices(&key).flat_map(|slice| slice.ports.iter().flatten());
        let mut names: Vec<_> = ports.map(|it| it.name.as_deref().unwrap_or_default()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() || names.contains(&wanted) {
            return "its EndpointSlices list no address that serves".to_owned();
        }
        let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("the port is named `{wanted}`, but its EndpointSlices have {}", quoted.join(", "))
    }
}

/// A Service of type ExternalName has no endpoints of its own; the data plane resolves the name.
fn external_endpoint(name: &str, port: u16) -> Endpoint {
    let address = match name.parse::<IpAddr>() {
        Ok(ip) => EndpointAddress::Socket(SocketAddr::new(ip, port)),
        Err(_) => dns(name, port),
    };
    Endpoint { address, state: EndpointState::Ready, node: None }
}

fn dns(name: &str, port: u16) -> EndpointAddress {
    let host = name.trim_end_matches('.').to_ascii_lowercase();
    EndpointAddress::Dns { host: host.into(), port }
}

/// Address type of slices whose addresses are DNS names (deprecated in Kubernetes, still served).
const FQDN: &str = "FQDN";

fn from_slice(slice: &EndpointSlice, service_port: &ServicePort, publish_not_ready: bool) -> Vec<Endpoint> {
    let ports = slice.ports.iter().flatten();
    let numbers: Vec<u16> = ports
        .filter(|it| is_port(it.name.as_deref(), it.protocol.as_deref(), service_port))
        // "If not specified, ports are not restricted": then the Service's own number is meant.
        .filter_map(|it| u16::try_from(it.port.unwrap_or(service_port.port)).ok())
        .collect();
    let mut found = Vec::new();
    for endpoint in slice.endpoints.iter().flatten() {
        let Some(state) = state_of(endpoint.conditions.as_ref(), publish_not_ready) else { continue };
        let node: Option<Arc<str>> = endpoint.node_name.as_deref().map(Arc::from);
        for text in &endpoint.addresses {
            let addresses =
                numbers.iter().filter_map(|&port| address(text, port, slice.address_type == FQDN));
            found.extend(addresses.map(|address| Endpoint { address, state, node: node.clone() }));
        }
    }
    found
}

fn from_object(
    object: &EndpointsObject,
    service_port: &ServicePort,
    publish_not_ready: bool,
) -> Vec<Endpoint> {
    let mut found = Vec::new();
    for subset in object.subsets.iter().flatten() {
        let ready = subset.addresses.iter().flatten();
        let not_ready = subset.not_ready_addresses.iter().flatten().filter(|_| publish_not_ready);
        let addresses: Vec<_> = ready.chain(not_ready).collect();
        let ports = subset.ports.iter().flatten();
        for port in ports.filter(|it| is_port(it.name.as_deref(), it.protocol.as_deref(), service_port)) {
            let Ok(number) = u16::try_from(port.port) else { continue };
            let addresses = addresses.iter().filter_map(|it| address(&it.ip, number, false));
            found.extend(addresses.map(|address| Endpoint {
                address,
                state: EndpointState::Ready,
                node: None,
            }));
        }
    }
    found
}

/// Whether a port of a slice or Endpoints object is `service_port`: they meet by name (a Service's
/// only port may have none) and protocol, never by number, since the numbers here are target ports.
fn is_port(name: Option<&str>, protocol: Option<&str>, service_port: &ServicePort) -> bool {
    name.unwrap_or_default() == service_port.name.as_deref().unwrap_or_default()
        && service::protocol_or_default(protocol) == service::protocol(service_port)
}

/// The state that the conditions of a slice's endpoint mean; none where it must get no traffic.
/// Absent conditions mean ready, an absent `serving` means what `ready` says.
fn state_of(conditions: Option<&EndpointConditions>, publish_not_ready: bool) -> Option<EndpointState> {
    let ready = conditions.and_then(|it| it.ready).unwrap_or(true);
    if ready || publish_not_ready {
        return Some(EndpointState::Ready);
    }
    let serving = conditions.and_then(|it| it.serving).unwrap_or(ready);
    let terminating = conditions.and_then(|it| it.terminating).unwrap_or(false);
    (serving && terminating).then_some(EndpointState::Terminating)
}

fn address(text: &str, port: u16, is_name: bool) -> Option<EndpointAddress> {
    if is_name {
        return (!text.is_empty()).then(|| dns(text, port));
    }
    // The API server lets only addresses through; a manifest may hold anything.
    text.parse::<IpAddr>().ok().map(|ip| EndpointAddress::Socket(SocketAddr::new(ip, port)))
}

#[cfg(test)]
mod tests;
