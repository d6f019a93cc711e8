//! The times in conditions: a condition that says what it said before has not changed now.

use std::collections::HashMap;
use std::sync::Arc;

use portway_api::backend_tls_policy::PolicyAncestorStatus;
use portway_api::core::Condition;
use portway_api::listener::ListenerStatus;
use portway_api::route::{RouteParentStatus, RouteStatus};
use portway_translate::Statuses;

/// Takes the times of conditions that have the same status from the statuses before.
///
/// In a cluster the API server keeps the last status of an object; without one, we must.
pub(crate) fn carry_over(before: &Statuses, now: &mut Statuses) {
    for (name, status) in &mut now.gateway_classes {
        if let Some(before) = before.gateway_classes.get(name) {
            carry(&before.conditions, &mut status.conditions);
        }
    }
    for (key, status) in &mut now.gateways {
        let Some(before) = before.gateways.get(key) else { continue };
        carry(&before.conditions, &mut status.conditions);
        carry_parts(&before.listeners, &mut status.listeners);
    }
    for (key, status) in &mut now.listener_sets {
        let Some(before) = before.listener_sets.get(key) else { continue };
        carry(&before.conditions, &mut status.conditions);
        carry_parts(&before.listeners, &mut status.listeners);
    }
    carry_routes(before, now);
    for (key, status) in &mut now.backend_tls_policies {
        let Some(before) = before.backend_tls_policies.get(key) else { continue };
        carry_parts(&before.ancestors, &mut status.ancestors);
    }
}

/// Routes share equal statuses, and share what comes of them.
fn carry_routes(before: &Statuses, now: &mut Statuses) {
    let mut known = HashMap::new();
    let told = now.routes.clone();
    for it in before.routes.replaced(&told) {
        let (Some(before), Some(status)) = (it.before, it.after) else { continue };
        // Both live on in the two maps, so that no other has their address.
        let carried = known.entry((Arc::as_ptr(before), Arc::as_ptr(status))).or_insert_with(|| {
            let mut carried = RouteStatus::clone(status);
            carry_parts(&before.parents, &mut carried.parents);
            if carried == **before { Arc::clone(before) } else { Arc::new(carried) }
        });
        now.routes.insert(it.key.clone(), Arc::clone(carried));
    }
}

/// A part of a status with conditions of its own.
trait Part {
    /// Whether both speak of the same.
    fn is_of_same(&self, other: &Self) -> bool;
    fn conditions(&self) -> &[Condition];
    fn conditions_mut(&mut self) -> &mut [Condition];
}

macro_rules! part {
    ($type:ty, $name:ident) => {
        impl Part for $type {
            fn is_of_same(&self, other: &Self) -> bool {
                self.$name == other.$name
            }
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }
            fn conditions_mut(&mut self) -> &mut [Condition] {
                &mut self.conditions
            }
        }
    };
}
part!(ListenerStatus, name);
part!(RouteParentStatus, parent_ref);
part!(PolicyAncestorStatus, ancestor_ref);

fn carry_parts<T: Part>(before: &[T], now: &mut [T]) {
    for part in now {
        if let Some(before) = before.iter().find(|it| it.is_of_same(part)) {
            carry(before.conditions(), part.conditions_mut());
        }
    }
}

fn carry(before: &[Condition], now: &mut [Condition]) {
    for condition in now {
        let same = |it: &&Condition| it.type_ == condition.type_ && it.status == condition.status;
        if let Some(before) = before.iter().find(same) {
            condition.last_transition_time = before.last_transition_time.clone();
        }
    }
}
