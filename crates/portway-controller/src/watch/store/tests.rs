use serde_json::json;

use super::*;
use crate::watch::Kind;

fn object(kind: &str, value: serde_json::Value) -> Object {
    (Kind::named(kind).unwrap().decode)(value).unwrap()
}

fn route(version: &str, generation: i64, parents: serde_json::Value) -> Object {
    object(
        "HTTPRoute",
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "r", "namespace": "n", "uid": "1", "resourceVersion": version, "generation": generation},
            "spec": {}, "status": {"parents": parents},
        }),
    )
}

fn slice(version: &str, address: &str) -> Object {
    object(
        "EndpointSlice",
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {
                "name": "s-1", "namespace": "n", "uid": "2", "resourceVersion": version,
                "labels": {"kubernetes.io/service-name": "s"},
            },
            "endpoints": [{"addresses": [address]}],
        }),
    )
}

fn dirt_after(store: &Store, object: Object) -> Dirt {
    store.apply(object);
    store.take().unwrap().1
}

#[test]
fn nothing_is_given_out_before_every_first_list_is_complete() {
    let store = Store::default();
    store.expect("Service");
    store.expect("HTTPRoute");
    store.apply(route("1", 1, json!([])));
    store.complete("Service");
    assert!(store.take().is_none());
    assert_eq!(store.awaited(), ["HTTPRoute"]);
    store.complete("HTTPRoute");
    assert_eq!(store.take().unwrap().0.http_routes.len(), 1);
}

#[test]
fn a_status_alone_asks_for_no_translation() {
    let store = Store::default();
    assert!(dirt_after(&store, route("1", 1, json!([]))).objects);
    let parents = json!([{"parentRef": {"name": "g"}, "controllerName": "x/y"}]);
    let dirt = dirt_after(&store, route("2", 1, parents.clone()));
    assert_eq!(dirt, Dirt { statuses: true, ..Dirt::default() });
    assert!(dirt_after(&store, route("3", 2, parents)).objects);
}

#[test]
fn an_older_state_does_not_replace_a_newer_one() {
    let store = Store::default();
    store.apply(route("10", 2, json!([])));
    store.take();
    assert_eq!(dirt_after(&store, route("9", 1, json!([]))), Dirt::default());
    let snapshot = store.snapshot();
    assert_eq!(snapshot.http_routes.values().next().unwrap().metadata.generation, Some(2));
}

#[test]
fn endpoints_are_told_apart_from_all_else() {
    let store = Store::default();
    let of_service =
        |service: &str| Dirt { endpoints: [ObjectKey::new("n", service)].into(), ..Dirt::default() };
    assert_eq!(dirt_after(&store, slice("1", "10.0.0.1")), of_service("s"));
    assert_eq!(dirt_after(&store, slice("2", "10.0.0.1")), Dirt::default());
    assert_eq!(dirt_after(&store, slice("3", "10.0.0.2")), of_service("s"));
    store.remove(&slice("3", "10.0.0.2").object_ref());
    assert_eq!(store.take().unwrap().1, of_service("s"));
}

#[test]
fn an_object_that_does_not_fit_is_forgotten() {
    let store = Store::default();
    let good = route("1", 1, json!([]));
    let name = good.object_ref();
    store.apply(good);
    store.take();
    store.unreadable(name, "no".to_owned());
    let (snapshot, dirt) = store.take().unwrap();
    assert!(snapshot.http_routes.is_empty() && dirt.objects);
}
