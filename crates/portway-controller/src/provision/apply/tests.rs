use serde_json::json;

use super::*;

#[test]
fn a_service_is_made_anew_where_it_cannot_be_changed() {
    let balanced = |class: Value| json!({"spec": {"type": "LoadBalancer", "loadBalancerClass": class}});
    let (none, ours) = (balanced(Value::Null), balanced("portway.dev/address-pool".into()));
    assert!(must_be_replaced(Kind::Service, &ours, &none));
    assert!(must_be_replaced(Kind::Service, &none, &ours));
    assert!(!must_be_replaced(Kind::Service, &ours, &ours));
    // A change of the type sets the class free.
    assert!(!must_be_replaced(Kind::Service, &ours, &json!({"spec": {"type": "ClusterIP"}})));
    let ip = |ip: &str| json!({"spec": {"type": "ClusterIP", "clusterIP": ip}});
    assert!(must_be_replaced(Kind::Service, &ip("10.0.0.1"), &ip("10.0.0.2")));
    assert!(!must_be_replaced(Kind::Service, &json!({"spec": {"type": "ClusterIP"}}), &ip("10.0.0.2")));
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let owned = |kind: &str, uid: &str, label: &str| json!({"metadata": {"ownerReferences": [{"kind": kind, "uid": uid}], "labels": {(naming::MANAGED_BY): label}}});
    assert!(matches!(standing(&owned("Gateway", "1", "portway.dev"), "1"), Standing::Ours));
    // A label that somebody has removed comes back.
    assert!(matches!(standing(&owned("Gateway", "1", "x"), "1"), Standing::Ours));
    assert!(matches!(standing(&owned("Gateway", "0", "portway.dev"), "1"), Standing::Leaving));
    assert!(matches!(standing(&owned("Gateway", "0", "x"), "1"), Standing::Foreign));
    assert!(matches!(standing(&json!({"metadata": {}}), "1"), Standing::Foreign));
    assert!(matches!(
        standing(&json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), "1"),
        Standing::Leaving
    ));
}

#[test]
fn the_hash_tells_what_is_no_longer_wanted() {
    let (more, less) =
        (json!({"metadata": {}, "data": {"a": 1, "b": 2}}), json!({"metadata": {}, "data": {"a": 1}}));
    let live = marked(&more);
    assert_eq!(project(&marked(&more), &live), marked(&more));
    assert_ne!(project(&marked(&less), &live), marked(&less));
}
