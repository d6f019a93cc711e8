//! Translation of many routes takes time nearly linear in their number.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portway_api::{Object, Snapshot};
use portway_translate::{Controllers, Options, translate};
use serde_json::{Value, json};

const GATEWAYS: usize = 5;

fn object(value: &Value) -> Object {
    let kind = value["kind"].as_str().unwrap();
    match kind {
        "GatewayClass" => Object::GatewayClass(serde_json::from_value(value.clone()).unwrap()),
        "Gateway" => Object::Gateway(serde_json::from_value(value.clone()).unwrap()),
        "HTTPRoute" => Object::HttpRoute(serde_json::from_value(value.clone()).unwrap()),
        "Service" => Object::Service(serde_json::from_value(value.clone()).unwrap()),
        _ => Object::EndpointSlice(serde_json::from_value(value.clone()).unwrap()),
    }
}

/// Each route has a hostname and a Service of its own, and attaches to every Gateway.
fn snapshot(routes: usize) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let mut insert = |value: Value| assert!(!snapshot.insert(object(&value)));
    insert(json!({
        "kind": "GatewayClass", "metadata": {"name": "portway"},
        "spec": {"controllerName": "portway.dev/gateway-controller"},
    }));
    let mut parents = Vec::new();
    for index in 0..GATEWAYS {
        let name = format!("edge-{index}");
        parents.push(json!({"name": name}));
        insert(json!({
            "kind": "Gateway", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"gatewayClassName": "portway", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
        }));
    }
    for index in 0..routes {
        let name = format!("store-{index}");
        insert(json!({
            "kind": "HTTPRoute", "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "parentRefs": parents, "hostnames": [format!("{name}.example.com")],
                "rules": [
                    {"matches": [{"path": {"value": "/a"}}], "backendRefs": [{"name": name, "port": 80}]},
                    {"matches": [{"path": {"value": "/"}}], "backendRefs": [{"name": name, "port": 80}]},
                ],
            },
        }));
        insert(json!({
            "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"ports": [{"port": 80}]},
        }));
        insert(json!({
            "kind": "EndpointSlice",
            "metadata": {
                "name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": [{"addresses": ["10.0.0.1"]}],
        }));
    }
    snapshot
}

fn translated_in(routes: usize) -> Duration {
    let snapshot = snapshot(routes);
    let options = Options {
        controllers: Controllers::Any,
        now: Timestamp::UNIX_EPOCH,
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: vec!["192.0.2.1".parse().unwrap()],
        cluster: None,
    };
    let start = Instant::now();
    let translation = translate(&snapshot, &options);
    let elapsed = start.elapsed();
    for configuration in translation.configurations.values() {
        assert_eq!(configuration.routes.len(), routes);
        assert_eq!(configuration.endpoints.len(), routes);
    }
    assert_eq!(translation.configurations.len(), GATEWAYS);
    // All say the same, and a status takes most of a kilobyte.
    let mut statuses = translation.statuses.routes.values();
    let first = statuses.next().unwrap();
    assert!(statuses.all(|status| Arc::ptr_eq(status, first)));
    elapsed
}

#[test]
fn ten_times_the_routes_take_about_ten_times_as_long() {
    let few = translated_in(200);
    let many = translated_in(2_000);
    println!("200 routes at {GATEWAYS} Gateways: {few:?}; 2,000: {many:?}");
    // Linear is 10, quadratic 100; the machine may be busy with other things.
    assert!(many < few * 40, "200 routes took {few:?}, 2,000 took {many:?}");
}
