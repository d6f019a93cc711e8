//! Conditions of every object.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use portway_api::ObjectKey;
use portway_api::backend_tls_policy::PolicyStatus;
use portway_api::gateway::GatewayStatus;
use portway_api::gateway_class::GatewayClassStatus;
use portway_api::listener_set::ListenerSetStatus;
use portway_api::route::RouteStatus;
use portway_config::RouteKind;
use portway_shared_map::SharedMap;

/// The status that each object should have, as far as it is for us to say: only our own entries in
/// `parents` and `ancestors`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statuses {
    /// GatewayClasses that are ours, by name.
    pub gateway_classes: BTreeMap<String, GatewayClassStatus>,
    /// Gateways of our classes.
    pub gateways: BTreeMap<ObjectKey, GatewayStatus>,
    /// ListenerSets whose parent is one of our Gateways.
    pub listener_sets: BTreeMap<ObjectKey, ListenerSetStatus>,
    /// Routes with a parent of ours. Nearly all of thousands say the same: equal ones are shared.
    pub routes: SharedMap<(RouteKind, ObjectKey), Arc<RouteStatus>>,
    /// BackendTLSPolicies that are for a backend of one of our Gateways.
    pub backend_tls_policies: BTreeMap<ObjectKey, PolicyStatus>,
}

/// Finds equal statuses of routes, so that they need to be kept only once.
#[derive(Debug, Default)]
pub(crate) struct SharedStatuses(
    HashMap<u64, Arc<RouteStatus>>,
    /// How many were in use when that was last looked at.
    usize,
);

impl SharedStatuses {
    /// Lets go of what nobody holds any more, when that may be most of it.
    pub(crate) fn forget_unused(&mut self) {
        if self.0.len() > 2 * self.1.max(512) {
            self.0.retain(|_, status| Arc::strong_count(status) > 1);
            self.1 = self.0.len();
        }
    }

    /// The same status; one that was seen before, if there is one.
    pub(crate) fn share(&mut self, status: RouteStatus) -> Arc<RouteStatus> {
        let known = self.0.entry(hash(&status)).or_default();
        if **known != status {
            // It is new, or two differ that have the same hash: one of those then is not shared.
            *known = Arc::new(status);
        }
        Arc::clone(known)
    }
}

fn hash(status: &RouteStatus) -> u64 {
    let mut hasher = DefaultHasher::new();
    for parent in &status.parents {
        parent.parent_ref.hash(&mut hasher);
        for it in &parent.conditions {
            let words = (&it.type_, &it.status, &it.reason, &it.message);
            (words, it.observed_generation, it.last_transition_time.0).hash(&mut hasher);
        }
    }
    hasher.finish()
}
