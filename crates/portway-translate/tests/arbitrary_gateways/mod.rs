//! Gateways with ListenerSets that are often wrong: names, ports and hostnames come from few values,
//! so that they meet.

use std::sync::Arc;

use std::sync::LazyLock;

use portway_api::gateway::GatewaySpecAddress;
use portway_api::{Object, Snapshot};
use portway_translate::Statuses;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

/// A Gateway, its ListenerSets, and what they refer to.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    gateway: Value,
    sets: Vec<Value>,
}

/// Certificate and key, made once: making one takes longer than a translation.
static PAIR: LazyLock<(String, String)> = LazyLock::new(|| {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
});

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

impl Scene {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.insert(Object::GatewayClass(typed(json!({
            "metadata": {"name": "portway"},
            "spec": {"controllerName": "portway.dev/gateway-controller"},
        }))));
        for namespace in ["infra", "vault"] {
            snapshot.insert(Object::Secret(typed(json!({
                "metadata": {"name": "tls", "namespace": namespace},
                "stringData": {"tls.crt": PAIR.0, "tls.key": PAIR.1},
            }))));
        }
        snapshot.insert(Object::ConfigMap(typed(json!({
            "metadata": {"name": "ca", "namespace": "infra"},
            "data": {"ca.crt": PAIR.0},
        }))));
        snapshot.insert(Object::Gateway(typed(self.gateway.clone())));
        for set in &self.sets {
            snapshot.insert(Object::ListenerSet(typed(set.clone())));
        }
        snapshot
    }

    /// The same with these statuses on the objects.
    pub(crate) fn snapshot_with(&self, statuses: &Statuses) -> Snapshot {
        let mut snapshot = self.snapshot();
        for (name, status) in &statuses.gateway_classes {
            let mut class = Arc::clone(snapshot.gateway_classes.get(name).unwrap());
            Arc::make_mut(&mut class).status = Some(status.clone());
            snapshot.insert(Object::GatewayClass(class));
        }
        for (key, status) in &statuses.gateways {
            let mut gateway = Arc::clone(snapshot.gateways.get(key).unwrap());
            Arc::make_mut(&mut gateway).status = Some(status.clone());
            snapshot.insert(Object::Gateway(gateway));
        }
        for (key, status) in &statuses.listener_sets {
            let mut set = Arc::clone(snapshot.listener_sets.get(key).unwrap());
            Arc::make_mut(&mut set).status = Some(status.clone());
            snapshot.insert(Object::ListenerSet(set));
        }
        snapshot
    }
}

fn tls() -> impl Strategy<Value = Value> {
    let secret = prop_oneof![
        4 => Just(json!({"name": "tls"})),
        1 => Just(json!({"name": "missing"})),
        1 => Just(json!({"name": "tls", "namespace": "vault"})),
        1 => Just(json!({"name": "ca", "kind": "ConfigMap"})),
    ];
    let terminate = prop::collection::vec(secret, 0..3)
        .prop_map(|secrets| json!({"mode": "Terminate", "certificateRefs": secrets}));
    prop_oneof![4 => terminate, 1 => Just(json!({"mode": "Passthrough"}))]
}

fn listener() -> impl Strategy<Value = Value> {
    let protocol = prop_oneof![
        3 => Just("HTTP"), 3 => Just("HTTPS"), 2 => Just("TLS"), 1 => Just("TCP"), 1 => Just("UDP"), 1 => Just("SCTP")
    ];
    let hostname = prop_oneof![
        2 => Just(None),
        2 => Just(Some("a.example.com")),
        2 => Just(Some("*.example.com")),
        1 => Just(Some("b.example.com")),
        1 => Just(Some("Not a name")),
    ];
    let port = prop_oneof![4 => Just(80), 4 => Just(443), 2 => Just(8443), 1 => Just(0)];
    let tls = prop_oneof![1 => Just(None), 4 => tls().prop_map(Some)];
    (prop::sample::select(vec!["a", "b", "c", "d", "e", "f"]), protocol, hostname, port, tls).prop_map(
        |(name, protocol, hostname, port, tls)| {
            let wants_tls = matches!(protocol, "HTTPS" | "TLS");
            let mut listener = json!({"name": name, "protocol": protocol, "port": port});
            if let Some(hostname) = hostname {
                listener["hostname"] = hostname.into();
            }
            // Others with TLS settings are refused whatever they hold; one in a while is enough.
            if let Some(tls) = tls.filter(|tls| wants_tls || tls["mode"] == "Passthrough") {
                listener["tls"] = tls;
            }
            listener
        },
    )
}

fn frontend() -> impl Strategy<Value = Value> {
    let validation = |name: &'static str, mode: &'static str| json!({"validation": {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": name}], "mode": mode}});
    let setting = prop_oneof![
        2 => Just(json!({})),
        1 => Just(validation("ca", "AllowValidOnly")),
        1 => Just(validation("ca", "AllowInsecureFallback")),
        1 => Just(validation("missing", "AllowValidOnly")),
    ];
    (setting.clone(), prop::collection::vec((prop::sample::select(vec![443, 8443]), setting), 0..3)).prop_map(
        |(default, ports)| {
            let ports: Vec<_> =
                ports.into_iter().map(|(port, tls)| json!({"port": port, "tls": tls})).collect();
            json!({"frontend": {"default": default, "perPort": ports}})
        },
    )
}

fn addresses() -> impl Strategy<Value = Value> {
    let address = |kind: Option<&str>, value: Option<&str>, routability: Option<&str>| GatewaySpecAddress {
        kind: kind.map(str::to_owned),
        value: value.map(str::to_owned),
        routability: routability.map(str::to_owned),
    };
    let address = prop_oneof![
        4 => Just(address(None, Some("192.0.2.1"), None)),
        1 => Just(address(None, Some("192.0.2.9"), None)),
        1 => Just(address(None, None, None)),
        1 => Just(address(None, None, Some("Cluster"))),
        1 => Just(address(Some("Hostname"), Some("edge.example.com"), None)),
        1 => Just(address(Some("example.com/odd"), None, None)),
    ];
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(address, 1..3)]
        .prop_map(|addresses| serde_json::to_value(addresses).unwrap())
}

fn set() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec!["x", "y", "z"]);
    let namespace = prop::sample::select(vec!["infra", "shop"]);
    let created =
        prop::sample::select(vec![None, Some("2025-01-01T00:00:00Z"), Some("2025-01-02T00:00:00Z")]);
    (name, namespace, created, prop::collection::vec(listener(), 1..4)).prop_map(
        |(name, namespace, created, listeners)| {
            json!({
                "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
                "spec": {"parentRef": {"name": "edge", "namespace": "infra"}, "listeners": listeners},
            })
        },
    )
}

/// A Gateway with up to five listeners of its own and up to three ListenerSets.
pub(crate) fn scene() -> impl Strategy<Value = Scene> {
    let listeners = prop::collection::vec(listener(), 0..6);
    let from = prop::sample::select(vec!["None", "Same", "All", "All"]);
    let sets = prop::collection::vec(set(), 0..4);
    (listeners, from, frontend(), addresses(), sets).prop_map(|(listeners, from, tls, addresses, sets)| {
        Scene {
            gateway: json!({
                "metadata": {"name": "edge", "namespace": "infra", "generation": 1},
                "spec": {
                    "gatewayClassName": "portway",
                    "listeners": listeners,
                    "allowedListeners": {"namespaces": {"from": from}},
                    "tls": tls,
                    "addresses": addresses,
                },
            }),
            sets,
        }
    })
}
