//! A translation that remembers the one before has the result of one that does not, whatever has happened in between.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod arbitrary_routes;

use std::sync::Arc;

use arbitrary_routes::{HOME, object, scene};
use jiff::Timestamp;
use portway_api::object::ObjectRef;
use portway_api::{Namespaced, ObjectKey, Resource, Snapshot, Spec};
use portway_config::RouteKind;
use portway_translate::{
    ClusterOptions, Controllers, Memory, Options, Translation, translate, translate_remembering,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// What happens between two translations.
#[derive(Clone, Debug)]
enum Edit {
    /// Objects of another scene come, or those that it has not go: the kinds and the places of these by bits.
    Mix(Box<Snapshot>, u32),
    /// An object is there now.
    Put(Value),
    /// An object is gone.
    Remove(&'static str, &'static str, &'static str),
    /// All that was said was written.
    Write,
    /// The same objects come again, as after a watch that has begun anew.
    Relist,
    /// A certificate may begin or end to be valid.
    Later,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => (scene(), any::<u32>()).prop_map(|(scene, bits)| Edit::Mix(Box::new(scene), bits)),
        2 => gateway().prop_map(Edit::Put),
        2 => service().prop_map(Edit::Put),
        2 => slice().prop_map(Edit::Put),
        1 => select(vec!["red", "blue"]).prop_map(|colour| Edit::Put(json!({
            "kind": "Namespace", "metadata": {"name": "abroad", "labels": {"colour": colour}},
        }))),
        1 => select(vec!["Service", "HTTPRoute"]).prop_map(|to| Edit::Put(json!({
            "kind": "ReferenceGrant", "metadata": {"name": "other", "namespace": "abroad"},
            "spec": {
                "from": [{"group": "gateway.networking.k8s.io", "kind": "GRPCRoute", "namespace": HOME}],
                "to": [{"group": "", "kind": to}],
            },
        }))),
        1 => Just(Edit::Put(json!({
            "kind": "Secret", "metadata": {"name": "missing", "namespace": HOME}, "stringData": {"tls.crt": "x"},
        }))),
        2 => select(vec![
            ("Service", HOME, "store"), ("Service", "abroad", "store"), ("EndpointSlice", HOME, "store"),
            ("EndpointSlice", HOME, "second"), ("ReferenceGrant", "abroad", "other"), ("Namespace", "", "abroad"),
            ("Gateway", HOME, "edge"), ("Gateway", HOME, "missing"), ("Secret", HOME, "missing"),
        ]).prop_map(|(kind, namespace, name)| Edit::Remove(kind, namespace, name)),
        3 => Just(Edit::Write),
        1 => Just(Edit::Relist),
        1 => Just(Edit::Later),
    ]
}

/// The Gateway of the scene with other listeners, or a second one.
fn gateway() -> impl Strategy<Value = Value> {
    let hostname = select(vec![None, Some("*.example.com"), Some("a.example.com")]);
    let from = select(vec![
        json!({"from": "Same"}),
        json!({"from": "All"}),
        json!({"from": "Selector", "selector": {"matchLabels": {"colour": "red"}}}),
    ]);
    let class = select(vec!["portway", "portway", "portway", "foreign"]);
    (select(vec!["edge", "missing"]), hostname, from, class).prop_map(|(name, hostname, from, class)| {
        let mut http = json!({
            "name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": from},
            "filters": {"requests": [{"type": "ExternalAuth", "externalAuth": {
                "protocol": "HTTP", "http": {}, "backendRef": {"name": "store", "port": 80},
            }}]},
        });
        if let Some(hostname) = hostname {
            http["hostname"] = json!(hostname);
        }
        json!({
            "kind": "Gateway", "metadata": {"name": name, "namespace": HOME},
            "spec": {"gatewayClassName": class, "listeners": [
                http,
                {"name": "tls", "protocol": "TLS", "port": 8443, "tls": {"mode": "Passthrough"}},
                {"name": "tcp", "protocol": "TCP", "port": 9000},
            ]},
        })
    })
}

fn service() -> impl Strategy<Value = Value> {
    let ports = select(vec![
        json!([{"name": "http", "port": 80}]),
        json!([{"name": "http", "port": 80, "appProtocol": "kubernetes.io/h2c"}, {"name": "odd", "port": 82}]),
        json!([{"name": "other", "port": 53}]),
    ]);
    let name = select(vec!["store", "missing"]);
    (select(vec![HOME, "abroad"]), name, ports).prop_map(|(namespace, name, ports)| {
        json!({"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": {"ports": ports}})
    })
}

fn slice() -> impl Strategy<Value = Value> {
    let service = select(vec!["store", "missing", "nobody"]);
    let endpoints = select(vec![
        json!([]),
        json!([{"addresses": ["10.0.0.1"]}]),
        json!([{"addresses": ["10.0.0.2"], "conditions": {"ready": false}}, {"addresses": ["10.0.0.3"]}]),
    ]);
    (select(vec!["store", "second"]), service, endpoints).prop_map(|(name, service, endpoints)| {
        json!({
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": HOME, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8080}], "endpoints": endpoints,
        })
    })
}

fn options(second: i64) -> Options {
    Options {
        controllers: Controllers::Named(["portway.dev/gateway-controller".to_owned()].into()),
        now: Timestamp::from_second(second).unwrap(),
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: Vec::new(),
        cluster: Some(ClusterOptions::default()),
    }
}

fn apply(edit: &Edit, snapshot: &mut Snapshot, last: &Translation, moment: &mut i64) {
    match edit {
        Edit::Mix(other, bits) => {
            mix(&mut snapshot.http_routes, &other.http_routes, *bits);
            mix(&mut snapshot.grpc_routes, &other.grpc_routes, bits >> 1);
            mix(&mut snapshot.tls_routes, &other.tls_routes, bits >> 2);
            mix(&mut snapshot.tcp_routes, &other.tcp_routes, bits >> 3);
            mix(&mut snapshot.udp_routes, &other.udp_routes, bits >> 4);
            mix(&mut snapshot.backend_tls_policies, &other.backend_tls_policies, bits >> 5);
            if bits >> 31 == 1 {
                snapshot.reference_grants = other.reference_grants.clone();
            }
        }
        Edit::Put(value) => {
            snapshot.insert(object(value.clone()));
        }
        Edit::Remove(kind, namespace, name) => {
            let namespace = Some((*namespace).to_owned()).filter(|it| !it.is_empty());
            let object = ObjectRef { kind: (*kind).to_owned(), namespace, name: (*name).to_owned() };
            snapshot.remove(&object);
        }
        Edit::Write => write(snapshot, last),
        Edit::Relist => {
            relist(&mut snapshot.http_routes);
            relist(&mut snapshot.gateways);
            relist(&mut snapshot.services);
            relist(&mut snapshot.endpoint_slices);
        }
        Edit::Later => *moment += 10_000_000_000,
    }
}

fn mix<T>(into: &mut Namespaced<T>, other: &Namespaced<T>, bits: u32) {
    let keys: Vec<_> = into.keys().chain(other.keys()).cloned().collect();
    for (index, key) in keys.into_iter().enumerate() {
        if bits >> (index % 26) & 1 == 1 {
            match other.get(&key) {
                Some(object) => drop(into.insert(key, Arc::clone(object))),
                None => drop(into.remove(&key)),
            }
        }
    }
}

fn relist<T: Clone>(objects: &mut Namespaced<T>) {
    *objects = objects.iter().map(|(key, object)| (key.clone(), Arc::new(T::clone(object)))).collect();
}

/// The statuses, as the API server has them once they are written.
fn write(snapshot: &mut Snapshot, last: &Translation) {
    fn set<S: Spec>(objects: &mut Namespaced<Resource<S>>, key: &ObjectKey, status: &S::Status)
    where
        Resource<S>: Clone,
        S::Status: Clone,
    {
        if let Some(object) = objects.get_mut(key) {
            Arc::make_mut(object).status = Some(status.clone());
        }
    }
    for (key, status) in &last.statuses.gateways {
        set(&mut snapshot.gateways, key, status);
    }
    for (key, status) in &last.statuses.backend_tls_policies {
        set(&mut snapshot.backend_tls_policies, key, status);
    }
    for ((kind, key), status) in &last.statuses.routes {
        match kind {
            RouteKind::Http => set(&mut snapshot.http_routes, key, status),
            RouteKind::Grpc => set(&mut snapshot.grpc_routes, key, status),
            RouteKind::Tls => set(&mut snapshot.tls_routes, key, status),
            RouteKind::Tcp => set(&mut snapshot.tcp_routes, key, status),
            RouteKind::Udp => set(&mut snapshot.udp_routes, key, status),
        }
    }
}

/// The one thing that may differ: a condition that nobody has written yet is as old as the translation that changed it.
fn timeless(translation: &mut Translation) {
    let routes: Vec<_> = translation.statuses.routes.keys().cloned().collect();
    for key in routes {
        let status = translation.statuses.routes.get_mut(&key).map(Arc::make_mut);
        for parent in status.into_iter().flat_map(|status| &mut status.parents) {
            for condition in &mut parent.conditions {
                condition.last_transition_time.0 = Timestamp::UNIX_EPOCH;
            }
        }
    }
}

fn assert_alike(mut remembering: Translation, mut fresh: Translation) {
    timeless(&mut remembering);
    timeless(&mut fresh);
    assert_eq!(remembering.configurations, fresh.configurations);
    assert_eq!(remembering.statuses, fresh.statuses);
    assert_eq!(remembering.findings, fresh.findings);
    assert_eq!(remembering.next_change, fresh.next_change);
}

fn check(mut snapshot: Snapshot, edits: &[Edit]) {
    let mut memory = Memory::default();
    let mut moment = 1_000;
    let mut last = translate_remembering(&snapshot, &options(moment), &mut memory);
    for edit in edits {
        apply(edit, &mut snapshot, &last, &mut moment);
        last = translate_remembering(&snapshot, &options(moment), &mut memory);
        assert_alike(last.clone(), translate(&snapshot, &options(moment)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn remembering_changes_no_result(snapshot in scene(), edits in prop::collection::vec(edit(), 1..8)) {
        check(snapshot, &edits);
    }
}

/// What no edit has touched is the same object as before: whoever compares need not look into it.
#[test]
fn what_stays_is_shared() {
    let mut snapshot = Snapshot::default();
    snapshot.insert(object(json!({
        "kind": "GatewayClass", "metadata": {"name": "portway"},
        "spec": {"controllerName": "portway.dev/gateway-controller"},
    })));
    snapshot.insert(object(json!({
        "kind": "Gateway", "metadata": {"name": "edge", "namespace": HOME},
        "spec": {"gatewayClassName": "portway", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
    })));
    let route = |name: &str, path: &str| {
        object(json!({
            "kind": "HTTPRoute", "metadata": {"name": name, "namespace": HOME},
            "spec": {
                "parentRefs": [{"name": "edge"}], "hostnames": [format!("{name}.example.com")],
                "rules": [{"matches": [{"path": {"value": path}}], "backendRefs": [{"name": "store", "port": 80}]}],
            },
        }))
    };
    snapshot.insert(route("a", "/"));
    snapshot.insert(route("b", "/"));
    let mut memory = Memory::default();
    let first = translate_remembering(&snapshot, &options(0), &mut memory);
    snapshot.insert(route("b", "/new"));
    let second = translate_remembering(&snapshot, &options(0), &mut memory);
    let (_, before) = first.configurations.iter().next().unwrap();
    let (_, after) = second.configurations.iter().next().unwrap();
    let replaced: Vec<_> =
        before.routes.replaced(&after.routes).map(|it| it.key.name.name.to_string()).collect();
    assert_eq!(replaced, ["b"]);
    // Even where everything is looked at again.
    snapshot.insert(object(json!({
        "kind": "Gateway", "metadata": {"name": "edge", "namespace": HOME, "labels": {"new": "yes"}},
        "spec": {"gatewayClassName": "portway", "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}]},
    })));
    let third = translate_remembering(&snapshot, &options(0), &mut memory);
    let (_, last) = third.configurations.iter().next().unwrap();
    assert_eq!(after.routes.replaced(&last.routes).count(), 0);
}
