//! Arbitrary routes, right and wrong, with what they refer to.

use portway_api::{Object, Snapshot};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The namespace of the Gateway, and one of strangers.
pub(crate) const HOME: &str = "shop";
const ABROAD: &str = "abroad";

/// The objects of one case.
pub(crate) fn scene() -> impl Strategy<Value = Snapshot> {
    let routes = prop::collection::vec(route(), 1..8);
    let policies = prop::collection::vec(policy(), 0..4);
    (routes, policies, any::<bool>()).prop_map(|(routes, policies, granted)| {
        let mut snapshot = Snapshot::default();
        let mut objects = surroundings();
        if granted {
            objects.push(grant());
        }
        objects.extend(routes.into_iter().enumerate().map(|(index, it)| named(it, "route", index)));
        objects.extend(policies.into_iter().enumerate().map(|(index, it)| named(it, "policy", index)));
        for it in objects {
            snapshot.insert(object(it));
        }
        snapshot
    })
}

fn named(mut value: Value, prefix: &str, index: usize) -> Value {
    value["metadata"]["name"] = json!(format!("{prefix}-{index}"));
    value
}

pub(crate) fn object(value: Value) -> Object {
    match value["kind"].as_str().unwrap() {
        "GatewayClass" => Object::GatewayClass(serde_json::from_value(value).unwrap()),
        "Gateway" => Object::Gateway(serde_json::from_value(value).unwrap()),
        "HTTPRoute" => Object::HttpRoute(serde_json::from_value(value).unwrap()),
        "GRPCRoute" => Object::GrpcRoute(serde_json::from_value(value).unwrap()),
        "TLSRoute" => Object::TlsRoute(serde_json::from_value(value).unwrap()),
        "TCPRoute" => Object::TcpRoute(serde_json::from_value(value).unwrap()),
        "UDPRoute" => Object::UdpRoute(serde_json::from_value(value).unwrap()),
        "Service" => Object::Service(serde_json::from_value(value).unwrap()),
        "EndpointSlice" => Object::EndpointSlice(serde_json::from_value(value).unwrap()),
        "ReferenceGrant" => Object::ReferenceGrant(serde_json::from_value(value).unwrap()),
        "BackendTLSPolicy" => Object::BackendTlsPolicy(serde_json::from_value(value).unwrap()),
        "Namespace" => Object::Namespace(serde_json::from_value(value).unwrap()),
        "Secret" => Object::Secret(serde_json::from_value(value).unwrap()),
        kind => panic!("no {kind} is made here"),
    }
}

/// A Gateway with listeners of every protocol, one of which is not served, and Services.
fn surroundings() -> Vec<Value> {
    let ports = json!([
        {"name": "http", "port": 80},
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "odd", "port": 81, "appProtocol": "mysql"},
    ]);
    let service = |namespace: &str| {
        json!({
            "kind": "Service", "metadata": {"name": "store", "namespace": namespace}, "spec": {"ports": ports},
        })
    };
    vec![
        json!({
            "kind": "GatewayClass", "metadata": {"name": "portway"},
            "spec": {"controllerName": "portway.dev/gateway-controller"},
        }),
        json!({
            "kind": "Gateway", "metadata": {"name": "edge", "namespace": HOME},
            "spec": {"gatewayClassName": "portway", "defaultScope": "All", "listeners": [
                {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}},
                {"name": "narrow", "protocol": "HTTP", "port": 80, "hostname": "*.example.com"},
                {"name": "broken", "protocol": "HTTPS", "port": 443,
                 "tls": {"certificateRefs": [{"name": "missing"}]}},
                {"name": "tls", "protocol": "TLS", "port": 8443, "tls": {"mode": "Passthrough"}},
                {"name": "tcp", "protocol": "TCP", "port": 9000},
                {"name": "udp", "protocol": "UDP", "port": 9000},
            ]},
        }),
        service(HOME),
        service(ABROAD),
        json!({
            "kind": "EndpointSlice",
            "metadata": {"name": "store", "namespace": HOME, "labels": {"kubernetes.io/service-name": "store"}},
            "addressType": "IPv4", "ports": [{"name": "http", "port": 8080}],
            "endpoints": [{"addresses": ["10.0.0.1"]}],
        }),
    ]
}

fn grant() -> Value {
    json!({
        "kind": "ReferenceGrant", "metadata": {"name": "grant", "namespace": ABROAD},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": HOME}],
            "to": [{"group": "", "kind": "Service"}],
        },
    })
}

fn policy() -> impl Strategy<Value = Value> {
    let trust = select(vec![json!("System"), json!("example.com/unknown")]);
    let section = select(vec![Value::Null, json!("http"), json!("missing")]);
    (trust, section).prop_map(|(trust, section)| {
        let mut target = json!({"group": "", "kind": "Service", "name": "store"});
        if !section.is_null() {
            target["sectionName"] = section;
        }
        json!({
            "kind": "BackendTLSPolicy", "metadata": {"namespace": HOME},
            "spec": {
                "targetRefs": [target],
                "validation": {"hostname": "a.example.com", "wellKnownCACertificates": trust},
            },
        })
    })
}

fn route() -> impl Strategy<Value = Value> {
    let kinds = vec!["HTTPRoute", "HTTPRoute", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"];
    let names = vec![
        "a.example.com",
        "*.example.com",
        "b.example.org",
        "*.a.example.com",
        "c.example.com",
        "a.example.com",
        "not a name",
    ];
    let hostnames = prop::collection::vec(select(names), 0..3);
    let parents = prop::collection::vec(parent(), 0..3);
    let rules = prop::collection::vec((http_rule(), prop::collection::vec(backend(), 0..3)), 0..3);
    let common = (select(vec![HOME, HOME, ABROAD]), select(vec![None, Some(1_i64), Some(2)]), any::<bool>());
    (select(kinds), hostnames, parents, rules, common).prop_map(
        |(kind, hostnames, parents, rules, common)| {
            let (namespace, created, default) = common;
            let mut metadata = json!({"namespace": namespace, "generation": 7});
            if let Some(second) = created {
                metadata["creationTimestamp"] = json!(format!("2025-01-01T00:00:0{second}Z"));
            }
            let mut spec = json!({"parentRefs": parents});
            if default {
                spec["useDefaultGateways"] = json!("All");
            }
            if !matches!(kind, "TCPRoute" | "UDPRoute") {
                spec["hostnames"] = json!(hostnames);
            }
            let rules = rules.into_iter().map(|(http, backends)| {
                let mut rule = if kind == "HTTPRoute" { http } else { json!({}) };
                rule["backendRefs"] = json!(backends);
                rule
            });
            spec["rules"] = rules.collect();
            json!({"kind": kind, "metadata": metadata, "spec": spec})
        },
    )
}

fn parent() -> impl Strategy<Value = Value> {
    let sections =
        vec![None, Some("http"), Some("narrow"), Some("broken"), Some("tls"), Some("tcp"), Some("none")];
    let ports = vec![None, None, Some(80), Some(9000), Some(1)];
    let names = vec!["edge", "edge", "edge", "missing"];
    (select(names), select(sections), select(ports)).prop_map(|(name, section, port)| {
        let mut parent = json!({"name": name, "namespace": HOME});
        if let Some(section) = section {
            parent["sectionName"] = json!(section);
        }
        if let Some(port) = port {
            parent["port"] = json!(port);
        }
        parent
    })
}

fn backend() -> impl Strategy<Value = Value> {
    let kinds = select(vec!["Service", "Service", "Service", "Bucket"]);
    let places = select(vec![(HOME, "store"), (ABROAD, "store"), (HOME, "missing"), (ABROAD, "missing")]);
    let ports = select(vec![80, 80, 80, 53, 81, 82, -1]);
    let weights = select(vec![1, 1, 1, 1, 0, 5, 5, 9, 1, -1, 2_000_000_000]);
    (kinds, places, ports, weights).prop_map(|(kind, (namespace, name), port, weight)| {
        json!({"kind": kind, "namespace": namespace, "name": name, "port": port, "weight": weight})
    })
}

fn http_rule() -> impl Strategy<Value = Value> {
    let store = json!({"name": "store", "namespace": HOME, "port": 80});
    let filters = vec![
        json!([]),
        json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}]),
        json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["a b"]}}]),
        json!([{"type": "RequestMirror", "requestMirror": {"backendRef": store.clone(), "percent": 5}}]),
        json!([{"type": "RequestMirror", "requestMirror": {"backendRef": store.clone(), "percent": 500}}]),
        json!([{"type": "ExternalAuth", "externalAuth": {"protocol": "HTTP", "http": {}, "backendRef": store}}]),
        json!([{"type": "ExtensionRef", "extensionRef": {"group": "a.io", "kind": "B", "name": "c"}}]),
        json!([{"type": "RequestRedirect"}]),
        json!([
            {"type": "URLRewrite", "urlRewrite": {"path": {
                "type": "ReplacePrefixMatch", "replacePrefixMatch": "/n"}}},
        ]),
    ];
    let matches = vec![
        json!([{"path": {"type": "PathPrefix", "value": "/a"}}]),
        json!([{"path": {"type": "Exact", "value": "/a"}, "method": "GET"}]),
        json!([{"path": {"type": "RegularExpression", "value": "/[0-9]+"}}]),
        json!([{"path": {"type": "RegularExpression", "value": "("}}]),
        json!([{"path": {"type": "Exact", "value": "a//"}}]),
        json!([]),
    ];
    let timeouts =
        vec![json!({}), json!({"request": "1s"}), json!({"request": "1s", "backendRequest": "2s"})];
    (select(filters), select(matches), select(timeouts)).prop_map(
        |(filters, matches, timeouts)| json!({"filters": filters, "matches": matches, "timeouts": timeouts}),
    )
}
