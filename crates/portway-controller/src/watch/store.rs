//! All objects as the watches last saw them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_api::core::{EndpointSlice, ObjectMeta};
use portway_api::object::ObjectRef;
use portway_api::{Gateway, Object, ObjectKey, Resource, Snapshot, Spec};
use tokio::sync::watch;

/// The label by which an EndpointSlice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// All objects as the watches last saw them, shared by all who read them.
#[derive(Debug)]
pub struct Store {
    state: Mutex<State>,
    /// Counts changes; who waits for one watches it.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    snapshot: Snapshot,
    /// Kinds whose first list is not complete.
    awaited: BTreeSet<&'static str>,
    /// Objects that do not fit their type, and why.
    unreadable: BTreeMap<ObjectRef, String>,
    /// In which version each kind is watched.
    versions: BTreeMap<&'static str, String>,
    dirt: Dirt,
}

/// What has changed since somebody last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirt {
    /// Something that decides what is served.
    pub objects: bool,
    /// Services whose endpoints alone have changed.
    pub endpoints: BTreeSet<ObjectKey>,
    /// Statuses of Gateway API objects.
    pub statuses: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(0) }
    }
}

impl Store {
    /// A receiver that wakes with each change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// All objects, and what has changed since the last call. None while first lists are awaited.
    pub fn take(&self) -> Option<(Snapshot, Dirt)> {
        let mut state = self.state();
        if !state.awaited.is_empty() {
            return None;
        }
        let dirt = std::mem::take(&mut state.dirt);
        Some((state.snapshot.clone(), dirt))
    }

    /// All objects.
    pub fn snapshot(&self) -> Snapshot {
        self.state().snapshot.clone()
    }

    /// A Gateway, as it is now.
    pub fn gateway(&self, key: &ObjectKey) -> Option<Arc<Gateway>> {
        self.state().snapshot.gateways.get(key).cloned()
    }

    /// Whether anything new can be made in a namespace: it is there, and not being deleted. Objects can outlive their
    /// namespace, where the API server could not list their kind while that was deleted.
    pub fn is_open(&self, namespace: &str) -> bool {
        let state = self.state();
        state.snapshot.namespaces.get(namespace).is_some_and(|it| it.metadata.deletion_timestamp.is_none())
    }

    /// Kinds whose first list is not complete.
    pub fn awaited(&self) -> Vec<&'static str> {
        self.state().awaited.iter().copied().collect()
    }

    /// In which version a kind is watched.
    pub fn version(&self, kind: &str) -> Option<String> {
        self.state().versions.get(kind).cloned()
    }

    /// Takes in what the API server answered to a write of ours, before the watch brings it.
    pub fn learn(&self, object: Object) {
        self.apply(object);
    }

    /// Has everything translated again, for what is known beside the objects.
    pub fn reconsider(&self) {
        self.state().dirt.objects = true;
        self.wake();
    }

    pub(super) fn expect(&self, kind: &'static str) {
        self.state().awaited.insert(kind);
    }

    pub(super) fn complete(&self, kind: &'static str) {
        let mut state = self.state();
        if state.awaited.remove(kind) {
            state.dirt.objects = true;
            drop(state);
            self.wake();
        }
    }

    pub(crate) fn set_version(&self, kind: &'static str, version: Option<String>) {
        let mut state = self.state();
        let before = match version.clone() {
            Some(version) => state.versions.insert(kind, version),
            None => state.versions.remove(kind),
        };
        // What is said of references hangs on whether there is such a kind at all.
        if before != version {
            state.dirt.objects = true;
            drop(state);
            self.wake();
        }
    }

    pub(super) fn apply(&self, object: Object) {
        let mut state = self.state();
        let name = object.object_ref();
        state.unreadable.remove(&name);
        if let Some(dirt) = dirt(&state.snapshot, &object) {
            state.snapshot.insert(object);
            state.dirt.add(dirt);
            drop(state);
            self.wake();
        }
    }

    /// An object that does not fit its type. What was last read of it is no longer what the user wants, and is dropped.
    pub(super) fn unreadable(&self, name: ObjectRef, error: String) {
        tracing::warn!("{name} cannot be read and is ignored: {error}");
        self.remove(&name);
        self.state().unreadable.insert(name, error);
    }

    pub(super) fn remove(&self, name: &ObjectRef) {
        let mut state = self.state();
        state.unreadable.remove(name);
        let slice = removed_slice(&state.snapshot, name);
        if state.snapshot.remove(name) {
            state.dirt.add(slice.unwrap_or_else(Dirt::objects));
            drop(state);
            self.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole objects in place; they go on being true.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Dirt {
    fn objects() -> Self {
        Self { objects: true, ..Self::default() }
    }

    fn of_slice(slice: &EndpointSlice) -> Self {
        let service = service_of(slice);
        Self { endpoints: service.into_iter().collect(), ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.objects |= other.objects;
        self.statuses |= other.statuses;
        self.endpoints.extend(other.endpoints);
    }
}

/// The Service of an EndpointSlice.
pub fn service_of(slice: &EndpointSlice) -> Option<ObjectKey> {
    let labels = slice.metadata.labels.as_ref()?;
    Some(ObjectKey::new(slice.metadata.namespace.clone()?, labels.get(SERVICE_NAME)?.as_str()))
}

fn removed_slice(snapshot: &Snapshot, name: &ObjectRef) -> Option<Dirt> {
    if name.kind != "EndpointSlice" {
        return None;
    }
    let key = ObjectKey::new(name.namespace.clone()?, name.name.as_str());
    Some(Dirt::of_slice(snapshot.endpoint_slices.get(&key)?))
}

/// What an object changes; None where it is older than what is there, or the same.
fn dirt(snapshot: &Snapshot, object: &Object) -> Option<Dirt> {
    let key = object.key();
    match object {
        Object::GatewayClass(it) => resource_dirt(snapshot.gateway_classes.get(&key.name), it),
        Object::Gateway(it) => resource_dirt(snapshot.gateways.get(&key), it),
        Object::ListenerSet(it) => resource_dirt(snapshot.listener_sets.get(&key), it),
        Object::HttpRoute(it) => resource_dirt(snapshot.http_routes.get(&key), it),
        Object::GrpcRoute(it) => resource_dirt(snapshot.grpc_routes.get(&key), it),
        Object::TlsRoute(it) => resource_dirt(snapshot.tls_routes.get(&key), it),
        Object::TcpRoute(it) => resource_dirt(snapshot.tcp_routes.get(&key), it),
        Object::UdpRoute(it) => resource_dirt(snapshot.udp_routes.get(&key), it),
        Object::ReferenceGrant(it) => resource_dirt(snapshot.reference_grants.get(&key), it),
        Object::BackendTlsPolicy(it) => resource_dirt(snapshot.backend_tls_policies.get(&key), it),
        Object::PortwayParameters(it) => resource_dirt(snapshot.portway_parameters.get(&key), it),
        Object::AddressPool(it) => resource_dirt(snapshot.address_pools.get(&key.name), it),
        Object::Namespace(it) => {
            let old = snapshot.namespaces.get(&key.name);
            core_dirt(old.map(|old| &old.metadata), &it.metadata, || {
                old.is_some_and(|old| old.metadata.labels == it.metadata.labels)
            })
        }
        Object::Service(it) => {
            let old = snapshot.services.get(&key);
            core_dirt(old.map(|old| &old.metadata), &it.metadata, || {
                old.is_some_and(|old| {
                    old.spec == it.spec
                        && old.status == it.status
                        && metadata_alike(&old.metadata, &it.metadata)
                })
            })
        }
        Object::Secret(it) => {
            let old = snapshot.secrets.get(&key);
            core_dirt(old.map(|old| &old.metadata), &it.metadata, || {
                old.is_some_and(|old| old.data == it.data && old.type_ == it.type_)
            })
        }
        Object::ConfigMap(it) => {
            let old = snapshot.config_maps.get(&key);
            core_dirt(old.map(|old| &old.metadata), &it.metadata, || {
                old.is_some_and(|old| old.data == it.data)
            })
        }
        Object::ClusterTrustBundle(it) => {
            let old = snapshot.cluster_trust_bundles.get(&key.name);
            core_dirt(old.map(|old| &old.metadata), &it.metadata, || {
                old.is_some_and(|old| old.spec == it.spec)
            })
        }
        Object::EndpointSlice(it) => slice_dirt(snapshot.endpoint_slices.get(&key), it),
        Object::Endpoints(_) | Object::Deployment(_) => Some(Dirt::objects()),
    }
}

fn resource_dirt<S: Spec>(old: Option<&Arc<Resource<S>>>, new: &Resource<S>) -> Option<Dirt> {
    let Some(old) = old else { return Some(Dirt::objects()) };
    if is_older(&new.metadata, &old.metadata) {
        return None;
    }
    if old.spec != new.spec || !metadata_alike(&old.metadata, &new.metadata) {
        return Some(Dirt::objects());
    }
    // The resource version is wanted for the next write even where all else is the same.
    Some(Dirt { statuses: old.status != new.status, ..Dirt::default() })
}

fn core_dirt(old: Option<&ObjectMeta>, new: &ObjectMeta, is_same: impl FnOnce() -> bool) -> Option<Dirt> {
    if old.is_some_and(|old| is_older(new, old)) {
        return None;
    }
    if is_same() { None } else { Some(Dirt::objects()) }
}

fn slice_dirt(old: Option<&Arc<EndpointSlice>>, new: &EndpointSlice) -> Option<Dirt> {
    let mut dirt = Dirt::of_slice(new);
    if let Some(old) = old {
        if is_older(&new.metadata, &old.metadata)
            || (old.endpoints == new.endpoints
                && old.ports == new.ports
                && old.address_type == new.address_type
                && service_of(old) == service_of(new))
        {
            return None;
        }
        dirt.add(Dirt::of_slice(old));
    }
    Some(dirt)
}

/// All that a reader can see of metadata, but for the version.
fn metadata_alike(a: &ObjectMeta, b: &ObjectMeta) -> bool {
    a.uid == b.uid
        && a.generation == b.generation
        && a.labels == b.labels
        && a.annotations == b.annotations
        && a.creation_timestamp == b.creation_timestamp
        && a.deletion_timestamp == b.deletion_timestamp
        && a.owner_references == b.owner_references
        && a.finalizers == b.finalizers
}

/// Whether `new` is an earlier state of the same object. Resource versions are numbers that grow
/// (guaranteed since Kubernetes 1.35, KEP-5504).
fn is_older(new: &ObjectMeta, old: &ObjectMeta) -> bool {
    let number = |it: &ObjectMeta| it.resource_version.as_deref().and_then(|it| it.parse::<u64>().ok());
    new.uid == old.uid && matches!((number(new), number(old)), (Some(new), Some(old)) if new < old)
}

#[cfg(test)]
mod tests;
