use portway_api::core::ObjectMeta;
use portway_api::reference_grant::{ReferenceGrantFrom, ReferenceGrantTo};
use portway_api::{Object, ReferenceGrant};

use std::sync::Arc;

use super::*;

const GATEWAY: &str = "gateway.networking.k8s.io";

fn snapshot(to_name: Option<&str>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let grant = ReferenceGrant {
        api_version: String::new(),
        kind: String::new(),
        metadata: ObjectMeta {
            name: Some("grant".to_owned()),
            namespace: Some("vault".to_owned()),
            ..ObjectMeta::default()
        },
        spec: ReferenceGrantSpec {
            from: vec![ReferenceGrantFrom {
                group: GATEWAY.to_owned(),
                kind: "Gateway".to_owned(),
                namespace: "infra".to_owned(),
            }],
            to: vec![ReferenceGrantTo {
                group: String::new(),
                kind: "Secret".to_owned(),
                name: to_name.map(str::to_owned),
            }],
        },
        status: None,
    };
    snapshot.insert(Object::ReferenceGrant(Arc::new(grant)));
    snapshot
}

fn permits(snapshot: &Snapshot, from: (&str, &str), to: (&str, &str, &str)) -> bool {
    Grants::new(snapshot).permits(
        Referrer { group: GATEWAY, kind: from.0, namespace: from.1 },
        Referent { group: "", kind: to.0, namespace: to.1, name: to.2 },
    )
}

#[test]
fn within_one_namespace_no_grant_is_needed() {
    assert!(permits(&Snapshot::default(), ("Gateway", "infra"), ("Secret", "infra", "x")));
}

#[test]
fn group_kind_and_namespace_must_all_fit() {
    let snapshot = snapshot(None);
    assert!(permits(&snapshot, ("Gateway", "infra"), ("Secret", "vault", "any")));
    assert!(!permits(&snapshot, ("ListenerSet", "infra"), ("Secret", "vault", "any")));
    assert!(!permits(&snapshot, ("Gateway", "other"), ("Secret", "vault", "any")));
    assert!(!permits(&snapshot, ("Gateway", "infra"), ("ConfigMap", "vault", "any")));
    assert!(!permits(&snapshot, ("Gateway", "infra"), ("Secret", "elsewhere", "any")));
}

#[test]
fn a_name_narrows_and_an_empty_name_does_not() {
    assert!(permits(&snapshot(Some("one")), ("Gateway", "infra"), ("Secret", "vault", "one")));
    assert!(!permits(&snapshot(Some("one")), ("Gateway", "infra"), ("Secret", "vault", "two")));
    assert!(permits(&snapshot(Some("")), ("Gateway", "infra"), ("Secret", "vault", "two")));
}
