//! What many teams share one Gateway with costs each of them little (users' pain 13).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::{Duration, Instant};

use portway_api::{Object, Snapshot};
use portway_translate::{Controllers, Options, translate};
use serde_json::json;

/// ListenerSets of one Gateway, each with a hostname of its own on one port.
fn snapshot(sets: usize) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.insert(Object::GatewayClass(
        serde_json::from_value(json!({
            "metadata": {"name": "portway"}, "spec": {"controllerName": "portway.dev/gateway-controller"},
        }))
        .unwrap(),
    ));
    snapshot.insert(Object::Gateway(
        serde_json::from_value(json!({
            "metadata": {"name": "edge", "namespace": "infra"},
            "spec": {
                "gatewayClassName": "portway",
                "allowedListeners": {"namespaces": {"from": "All"}},
                "listeners": [{"name": "web", "protocol": "HTTP", "port": 80}],
            },
        }))
        .unwrap(),
    ));
    for index in 0..sets {
        let hostname = format!("host-{index}.example.com");
        snapshot.insert(Object::ListenerSet(
            serde_json::from_value(json!({
                "metadata": {"name": format!("set-{index}"), "namespace": format!("team-{index}")},
                "spec": {
                    "parentRef": {"name": "edge", "namespace": "infra"},
                    "listeners": [
                        {"name": "web", "protocol": "HTTP", "port": 80, "hostname": hostname},
                        {"name": "tls", "protocol": "TLS", "port": 443, "hostname": hostname,
                         "tls": {"mode": "Passthrough"}},
                    ],
                },
            }))
            .unwrap(),
        ));
    }
    snapshot
}

fn cost(sets: usize) -> Duration {
    let snapshot = snapshot(sets);
    let options = Options {
        controllers: Controllers::Any,
        now: jiff::Timestamp::UNIX_EPOCH,
        implied_namespaces: false,
        trusted_hops: 0,
        default_addresses: vec!["192.0.2.1".parse().unwrap()],
        cluster: None,
    };
    let runs = (0..3).map(|_| {
        let start = Instant::now();
        let translation = translate(&snapshot, &options);
        let listeners: usize = translation.configurations.values().map(|it| it.listeners.len()).sum();
        assert_eq!(listeners, 2 * sets + 1);
        start.elapsed()
    });
    runs.min().unwrap()
}

/// Ten times the ListenerSets cost about ten times as much; were it a hundred, something would be quadratic.
#[test]
fn the_cost_of_listener_sets_grows_with_their_number_and_not_faster() {
    let (few, many) = (cost(300), cost(3_000));
    assert!(many < few * 40, "300 ListenerSets cost {few:?}, 3,000 cost {many:?}");
}
