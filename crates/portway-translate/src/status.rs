//! Conditions of every object.

use std::collections::BTreeMap;

use portway_api::ObjectKey;
use portway_api::backend_tls_policy::PolicyStatus;
use portway_api::gateway::GatewayStatus;
use portway_api::gateway_class::GatewayClassStatus;
use portway_api::listener_set::ListenerSetStatus;
use portway_api::route::RouteStatus;
use portway_config::RouteKind;

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
    /// Routes with a parent of ours.
    pub routes: BTreeMap<(RouteKind, ObjectKey), RouteStatus>,
    /// BackendTLSPolicies that are for a backend of one of our Gateways.
    pub backend_tls_policies: BTreeMap<ObjectKey, PolicyStatus>,
}
