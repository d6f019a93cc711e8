//! What all routes depend on beside themselves and the Services that they name.

use std::sync::Arc;

use jiff::Timestamp;
use portway_api::core::ObjectMeta;
use portway_api::{Namespaced, Resource, Snapshot, Spec};
use portway_shared_map::SharedMap;

use crate::options::Options;

/// What all routes depend on beside themselves and the Services that they name: Gateways with their classes and
/// ListenerSets, grants, policies, TLS material, labels of namespaces, and the options.
pub(crate) struct Frame {
    snapshot: Snapshot,
    options: Options,
    /// When it becomes another by the time alone.
    next_change: Option<Timestamp>,
}

impl Frame {
    pub(crate) fn new(snapshot: &Snapshot, options: &Options, next_change: Option<Timestamp>) -> Self {
        Self { snapshot: snapshot.clone(), options: options.clone(), next_change }
    }

    /// Whether it is the same in a later translation. Statuses do not belong to it: nothing that is said of an
    /// object changes what routes are.
    pub(crate) fn holds(&self, snapshot: &Snapshot, options: &Options) -> bool {
        self.holds_for(options)
            && all_alike(&self.snapshot.gateway_classes, &snapshot.gateway_classes)
            && all_alike(&self.snapshot.gateways, &snapshot.gateways)
            && all_alike(&self.snapshot.listener_sets, &snapshot.listener_sets)
            && all_alike(&self.snapshot.reference_grants, &snapshot.reference_grants)
            && all_alike(&self.snapshot.backend_tls_policies, &snapshot.backend_tls_policies)
            && all_alike(&self.snapshot.portway_parameters, &snapshot.portway_parameters)
            && all_same(&self.snapshot.namespaces, &snapshot.namespaces)
            && all_same(&self.snapshot.secrets, &snapshot.secrets)
            && all_same(&self.snapshot.config_maps, &snapshot.config_maps)
            && all_same(&self.snapshot.cluster_trust_bundles, &snapshot.cluster_trust_bundles)
    }

    fn holds_for(&self, options: &Options) -> bool {
        let Options { controllers, now, implied_namespaces, trusted_hops, default_addresses, cluster } =
            options;
        let before = &self.options;
        *controllers == before.controllers
            && *implied_namespaces == before.implied_namespaces
            && *trusted_hops == before.trusted_hops
            && *default_addresses == before.default_addresses
            && *cluster == before.cluster
            // A clock that was set back may be before the beginning of what was valid.
            && *now >= before.now
            && self.next_change.is_none_or(|change| *now < change)
    }
}

fn all_same<K: Ord, T>(before: &SharedMap<K, Arc<T>>, after: &SharedMap<K, Arc<T>>) -> bool {
    before.replaced(after).next().is_none()
}

fn all_alike<K: Ord, S: Spec>(
    before: &SharedMap<K, Arc<Resource<S>>>,
    after: &SharedMap<K, Arc<Resource<S>>>,
) -> bool {
    before.differences(after, |a, b| Arc::ptr_eq(a, b) || is_alike(a, b)).next().is_none()
}

/// Whether two states of an object differ in their status and their number at most.
fn is_alike<S: Spec>(before: &Resource<S>, after: &Resource<S>) -> bool {
    let unnumbered = |metadata: &ObjectMeta| ObjectMeta { resource_version: None, ..metadata.clone() };
    before.spec == after.spec && unnumbered(&before.metadata) == unnumbered(&after.metadata)
}

/// The keys of objects that are others in a later state. From now on that is the state that is known.
pub(crate) fn follow<T>(known: &mut Namespaced<T>, now: &Namespaced<T>) -> Vec<portway_api::ObjectKey> {
    let before = std::mem::replace(known, now.clone());
    before.replaced(now).map(|it| it.key.clone()).collect()
}
