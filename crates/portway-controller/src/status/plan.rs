//! Which statuses are to be written.

use portway_api::backend_tls_policy::PolicyStatus;
use portway_api::core::Condition;
use portway_api::gateway::GatewayStatus;
use portway_api::gateway_class::GatewayClassStatus;
use portway_api::listener_set::ListenerSetStatus;
use portway_api::object::ObjectRef;
use portway_api::{Resource, Snapshot, Spec};
use portway_translate::{Controllers, Statuses};
use serde_json::{Value, json};

use super::merge::merge;

/// A status that is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusPatch {
    /// Of which object.
    pub object: ObjectRef,
    /// The state of the object that this was made for.
    pub resource_version: Option<String>,
    /// Whether the write would undo what others write in between, so that the API server must refuse it for any other
    /// state of the object.
    pub is_conditional: bool,
    /// All that we have to say.
    pub status: Value,
}

/// Which statuses differ from what the objects carry. For those of routes there is [`RoutePlan`](super::RoutePlan).
pub fn plan(snapshot: &Snapshot, statuses: &Statuses, controllers: &Controllers) -> Vec<StatusPatch> {
    let mut patches = Vec::new();
    for (name, status) in &statuses.gateway_classes {
        let Some(class) = snapshot.gateway_classes.get(name) else { continue };
        if !class.status.as_ref().is_some_and(|current| is_class_told(current, status)) {
            patches.push(applied(ObjectRef::cluster("GatewayClass", name), &**class, status));
        }
    }
    for (key, status) in &statuses.gateways {
        let Some(gateway) = snapshot.gateways.get(key) else { continue };
        if !gateway.status.as_ref().is_some_and(|current| is_gateway_told(current, status)) {
            patches.push(applied(ObjectRef::namespaced("Gateway", key), &**gateway, status));
        }
    }
    for (key, status) in &statuses.listener_sets {
        let Some(set) = snapshot.listener_sets.get(key) else { continue };
        if !set.status.as_ref().is_some_and(|current| is_set_told(current, status)) {
            patches.push(applied(ObjectRef::namespaced("ListenerSet", key), &**set, status));
        }
    }
    let is_ours = |name: &str| controllers.include(name);
    for (key, policy) in &snapshot.backend_tls_policies {
        let current = policy.status.as_ref().map(|it| it.ancestors.as_slice()).unwrap_or_default();
        let ours =
            statuses.backend_tls_policies.get(key).map(|it| it.ancestors.as_slice()).unwrap_or_default();
        if let Some(ancestors) = merge(current, ours, is_ours) {
            patches.push(replaced(policy, PolicyStatus { ancestors }));
        }
    }
    patches
}

/// A write that leaves others' conditions alone by itself: lists with keys (`x-kubernetes-list-type: map`).
fn applied<S: Spec>(name: ObjectRef, object: &Resource<S>, status: &S::Status) -> StatusPatch {
    let resource_version = object.metadata.resource_version.clone();
    StatusPatch { object: name, resource_version, is_conditional: false, status: json!(status) }
}

/// A write of a list that others have entries in.
pub(super) fn replaced<S: Spec>(object: &Resource<S>, status: S::Status) -> StatusPatch {
    StatusPatch {
        object: ObjectRef::of(object),
        resource_version: object.metadata.resource_version.clone(),
        is_conditional: true,
        status: json!(status),
    }
}

fn is_class_told(current: &GatewayClassStatus, ours: &GatewayClassStatus) -> bool {
    are_told(&current.conditions, &ours.conditions) && current.supported_features == ours.supported_features
}

fn is_gateway_told(current: &GatewayStatus, ours: &GatewayStatus) -> bool {
    are_told(&current.conditions, &ours.conditions)
        && current.addresses == ours.addresses
        && current.attached_listener_sets == ours.attached_listener_sets
        && are_listeners_told(&current.listeners, &ours.listeners)
}

fn is_set_told(current: &ListenerSetStatus, ours: &ListenerSetStatus) -> bool {
    are_told(&current.conditions, &ours.conditions) && are_listeners_told(&current.listeners, &ours.listeners)
}

fn are_listeners_told(
    current: &[portway_api::listener::ListenerStatus],
    ours: &[portway_api::listener::ListenerStatus],
) -> bool {
    current.len() == ours.len()
        && ours.iter().all(|ours| {
            current.iter().any(|current| {
                current.name == ours.name
                    && current.attached_routes == ours.attached_routes
                    && current.supported_kinds == ours.supported_kinds
                    && are_told(&current.conditions, &ours.conditions)
            })
        })
}

/// Whether each condition of ours stands there, word for word. Others may stand beside them; one that we wrote and do
/// not say any more is of a type of ours, and must go.
fn are_told(current: &[Condition], ours: &[Condition]) -> bool {
    let is_ours = |it: &&Condition| portway_translate::reason::ConditionType::is_known(&it.type_);
    ours.iter().all(|it| current.contains(it)) && current.iter().filter(is_ours).count() == ours.len()
}
