//! Translation of many routes takes time nearly linear in their number, and of one change beside them always the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portway_api::{Object, Snapshot};
use portway_translate::{Controllers, Memory, Options, translate, translate_remembering};
use serde_json::{Value, json};

const GATEWAYS: usize = 5;
const CHANGES: usize = 100;

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
    for index in 0..GATEWAYS {
        let name = format!("edge-{index}");
        insert(json!({
            "kind": "Gateway", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"gatewayClassName": "portway", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
        }));
    }
    for index in 0..routes {
        let name = format!("store-{index}");
        insert(route(index, "/a"));
        insert(json!({
            "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"ports": [{"port": 80}]},
        }));
        insert(slice(index, "10.0.0.1"));
    }
    snapshot
}

fn route(index: usize, path: &str) -> Value {
    let name = format!("store-{index}");
    let parents: Vec<_> = (0..GATEWAYS).map(|index| json!({"name": format!("edge-{index}")})).collect();
    json!({
        "kind": "HTTPRoute", "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "parentRefs": parents, "hostnames": [format!("{name}.example.com")],
            "rules": [
                {"matches": [{"path": {"value": path}}], "backendRefs": [{"name": name, "port": 80}]},
                {"matches": [{"path": {"value": "/"}}], "backendRefs": [{"name": name, "port": 80}]},
            ],
        },
    })
}

fn slice(index: usize, address: &str) -> Value {
    let name = format!("store-{index}");
    json!({
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": [{"addresses": [address]}],
    })
}

fn options() -> Options {
    Options {
        controllers: Controllers::Any,
        now: Timestamp::UNIX_EPOCH,
        implied_namespaces: false,
        trusted_hops: 0,
        default_addresses: vec!["192.0.2.1".parse().unwrap()],
        cluster: None,
    }
}

fn translated_in(routes: usize) -> Duration {
    let snapshot = snapshot(routes);
    let start = Instant::now();
    let translation = translate(&snapshot, &options());
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

/// What this thread has computed so far: tests run on busy machines, where the clock on the wall says little. It is as
/// exact as the scheduler's tick.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// What one of many changes costs, with the translation after it.
fn changed_in(routes: usize, change: impl Fn(usize) -> Value) -> Duration {
    let mut snapshot = snapshot(routes);
    let mut memory = Memory::default();
    let mut last = translate_remembering(&snapshot, &options(), &mut memory);
    let start = cpu_time();
    for turn in 0..CHANGES {
        snapshot.insert(object(&change(turn)));
        // The one before is dropped in the time that is measured, as it is wherever translations follow one another.
        last = translate_remembering(&snapshot, &options(), &mut memory);
    }
    let elapsed = cpu_time() - start;
    assert!(last.configurations.values().all(|it| it.routes.len() == routes));
    elapsed / CHANGES as u32
}

#[test]
fn a_change_costs_the_same_however_many_routes_there_are() {
    let a_route = |turn: usize| route(7, &format!("/{turn}"));
    let an_endpoint = |turn: usize| slice(7, &format!("10.0.1.{turn}"));
    for (what, few, many) in [
        ("route", changed_in(50, a_route), changed_in(2_000, a_route)),
        ("endpoint", changed_in(50, an_endpoint), changed_in(2_000, an_endpoint)),
    ] {
        println!("one {what} at {GATEWAYS} Gateways: beside 50 routes {few:?}, beside 2,000 {many:?}");
        // Were it linear, it would be 40.
        assert!(
            many < few * 10 + Duration::from_micros(200),
            "{what}: {few:?} beside 50 routes, {many:?} beside 2,000"
        );
    }
}
