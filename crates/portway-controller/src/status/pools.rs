//! The status of AddressPools.

use jiff::Timestamp;
use portway_api::core::{Condition, Time};
use portway_api::object::ObjectRef;
use portway_api::{AddressPool, Snapshot};
use portway_translate::reason::{ConditionType, Reason};
use serde_json::json;

use super::plan::StatusPatch;
use crate::address::Pool;

/// Which statuses of AddressPools differ from what the objects carry.
pub fn plan_pools(snapshot: &Snapshot, now: Timestamp) -> Vec<StatusPatch> {
    snapshot.address_pools.values().filter_map(|pool| plan_pool(pool, now)).collect()
}

fn plan_pool(pool: &AddressPool, now: Timestamp) -> Option<StatusPatch> {
    let current = pool.status.iter().flat_map(|it| &it.conditions);
    let before = current.clone().find(|it| it.type_ == ConditionType::Accepted.as_str());
    let condition = accepted(pool, before, now);
    if before == Some(&condition) {
        return None;
    }
    Some(StatusPatch {
        object: ObjectRef::cluster("AddressPool", pool.name()),
        resource_version: pool.metadata.resource_version.clone(),
        is_conditional: false,
        status: json!({"conditions": [condition]}),
    })
}

fn accepted(pool: &AddressPool, before: Option<&Condition>, now: Timestamp) -> Condition {
    let faults = Pool::new(pool).faults;
    let told: Vec<_> =
        faults.iter().map(|(index, error)| format!("spec.addresses[{index}]: {error}.")).collect();
    let (status, reason, message) = if told.is_empty() {
        ("True", Reason::Accepted, "All addresses can be given to Gateways.".to_owned())
    } else {
        ("False", Reason::Invalid, format!("{} All others can be given to Gateways.", told.join(" ")))
    };
    let is_same = |it: &&Condition| it.status == status;
    let since = before.filter(is_same).map_or(Time(now), |it| it.last_transition_time.clone());
    Condition {
        type_: ConditionType::Accepted.as_str().to_owned(),
        status: status.to_owned(),
        reason: reason.as_str().to_owned(),
        message,
        observed_generation: pool.metadata.generation,
        last_transition_time: since,
    }
}

#[cfg(test)]
mod tests {
    use portway_api::{Object, address_pool::AddressPoolStatus};
    use std::sync::Arc;

    use super::*;

    fn snapshot(addresses: &[&str], status: Option<AddressPoolStatus>) -> Snapshot {
        let mut pool: AddressPool = serde_json::from_value(json!({
            "apiVersion": "portway.dev/v1alpha1", "kind": "AddressPool",
            "metadata": {"name": "p", "generation": 3}, "spec": {"addresses": addresses},
        }))
        .unwrap();
        pool.status = status;
        let mut snapshot = Snapshot::default();
        snapshot.insert(Object::AddressPool(Arc::new(pool)));
        snapshot
    }

    #[test]
    fn a_pool_is_told_once_and_a_wrong_entry_by_its_place() {
        let good = plan_pools(&snapshot(&["192.0.2.0/24"], None), Timestamp::UNIX_EPOCH);
        assert_eq!(good[0].status["conditions"][0]["status"], "True");
        let status = serde_json::from_value(good[0].status.clone()).unwrap();
        assert_eq!(plan_pools(&snapshot(&["192.0.2.0/24"], Some(status)), Timestamp::now()), []);

        let bad = plan_pools(&snapshot(&["192.0.2.1", "nonsense"], None), Timestamp::UNIX_EPOCH);
        let condition = &bad[0].status["conditions"][0];
        assert_eq!(condition["status"], "False");
        assert!(condition["message"].as_str().unwrap().starts_with("spec.addresses[1]: "), "{condition}");
    }
}
