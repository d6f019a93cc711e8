//! The status of a BackendTLSPolicy tells of 16 ancestors at most; beyond, the policy cannot be had,
//! and what it protects is refused rather than spoken to in clear text (`apis/v1`, PolicyStatus).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use jiff::Timestamp;
use portway_api::backend_tls_policy::PolicyStatus;
use portway_api::{Object, ObjectKey, Snapshot};
use portway_config::backend::BackendTls;
use portway_translate::{Controllers, FindingCode, Options, Translation, translate};
use serde_json::{Value, json};

const MAX_ANCESTORS: usize = 16;

/// One route at `gateways` Gateways, whose backend has a policy with this status.
fn translated(gateways: usize, status: Value) -> Translation {
    let mut snapshot = Snapshot::default();
    let class = json!({
        "metadata": {"name": "portway"}, "spec": {"controllerName": "portway.dev/gateway-controller"},
    });
    snapshot.insert(Object::GatewayClass(serde_json::from_value(class).unwrap()));
    let names: Vec<_> = (0..gateways).map(|index| format!("edge-{index:02}")).collect();
    for name in &names {
        let gateway = json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"gatewayClassName": "portway", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
        });
        snapshot.insert(Object::Gateway(serde_json::from_value(gateway).unwrap()));
    }
    let parents: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    let route = json!({
        "metadata": {"name": "store", "namespace": "shop"},
        "spec": {"parentRefs": parents, "rules": [{"backendRefs": [{"name": "store", "port": 443}]}]},
    });
    snapshot.insert(Object::HttpRoute(serde_json::from_value(route).unwrap()));
    let service =
        json!({"metadata": {"name": "store", "namespace": "shop"}, "spec": {"ports": [{"port": 443}]}});
    snapshot.insert(Object::Service(serde_json::from_value(service).unwrap()));
    let policy = json!({
        "metadata": {"name": "store", "namespace": "shop"},
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": "store"}],
            "validation": {"hostname": "store.example.com", "wellKnownCACertificates": "System"},
        },
        "status": status,
    });
    snapshot.insert(Object::BackendTlsPolicy(serde_json::from_value(policy).unwrap()));
    let options = Options {
        controllers: Controllers::Any,
        now: Timestamp::UNIX_EPOCH,
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: vec!["192.0.2.1".parse().unwrap()],
        cluster: None,
    };
    translate(&snapshot, &options)
}

fn status(translation: &Translation) -> &PolicyStatus {
    &translation.statuses.backend_tls_policies[&ObjectKey::new("shop", "store")]
}

/// The number of Gateways that speak TLS to the backend, and of those that refuse to speak to it.
fn tls(translation: &Translation) -> (usize, usize) {
    let backends = translation.configurations.values().flat_map(|it| it.backends.values());
    let (mut spoken, mut refused) = (0, 0);
    for backend in backends {
        match &backend.tls {
            BackendTls::Tls(_) => spoken += 1,
            BackendTls::Refused(_) => refused += 1,
            BackendTls::Plain => panic!("{:?} is spoken to in clear text", backend.key),
        }
    }
    (spoken, refused)
}

#[test]
fn sixteen_gateways_fit() {
    let translation = translated(MAX_ANCESTORS, json!({"ancestors": []}));
    assert_eq!(status(&translation).ancestors.len(), MAX_ANCESTORS);
    assert_eq!(tls(&translation), (MAX_ANCESTORS, 0));
}

#[test]
fn the_seventeenth_is_refused() {
    let translation = translated(MAX_ANCESTORS + 1, json!({"ancestors": []}));
    assert_eq!(status(&translation).ancestors.len(), MAX_ANCESTORS);
    assert_eq!(tls(&translation), (MAX_ANCESTORS, 1));
    let told = translation.findings.iter().filter(|it| it.field == "status.ancestors");
    let told: Vec<_> = told.map(|it| (it.code, it.message.contains("edge-16"))).collect();
    assert_eq!(told, [(FindingCode::NoEffect, true)]);
}

#[test]
fn the_entries_of_others_take_room_and_stay() {
    let foreign: Vec<_> = (0..MAX_ANCESTORS - 1)
        .map(|index| {
            let name = format!("theirs-{index}");
            json!({"ancestorRef": {"name": name}, "controllerName": "example.com/other", "conditions": []})
        })
        .collect();
    let translation = translated(2, json!({"ancestors": foreign}));
    assert_eq!(status(&translation).ancestors.len(), 1);
    assert_eq!(tls(&translation), (1, 1));
}
