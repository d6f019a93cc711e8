use portway_api::Object;
use portway_config::{NamespacedName, Transport};
use serde_json::{Value, json};

use super::*;

fn service(spec: Value) -> Object {
    let object = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
    Object::Service(serde_json::from_value(object).unwrap())
}

fn slice(name: &str, ports: Value, endpoints: Value) -> Object {
    let object = json!({
        "metadata": {"name": name, "namespace": "shop", "labels": {SERVICE_NAME_LABEL: "web"}},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": endpoints,
    });
    Object::EndpointSlice(serde_json::from_value(object).unwrap())
}

fn endpoints_object(subsets: Value) -> Object {
    let object = json!({"metadata": {"name": "web", "namespace": "shop"}, "subsets": subsets});
    Object::Endpoints(serde_json::from_value(object).unwrap())
}

/// The endpoints of TCP port 80, those that terminate in brackets.
fn found(objects: impl IntoIterator<Item = Object>) -> Vec<String> {
    found_by(Transport::Tcp, objects)
}

fn found_by(transport: Transport, objects: impl IntoIterator<Item = Object>) -> Vec<String> {
    let mut snapshot = Snapshot::default();
    for object in objects {
        snapshot.insert(object);
    }
    let service = NamespacedName::new("shop", "web");
    let key = EndpointsKey { service, port: 80, transport };
    let found = endpoints(&snapshot, &key).endpoints;
    found
        .into_iter()
        .map(|it| match it.state {
            EndpointState::Ready => it.address.to_string(),
            EndpointState::Terminating => format!("({})", it.address),
        })
        .collect()
}

fn http_service() -> Object {
    service(json!({"ports": [
        {"name": "metrics", "port": 9090, "targetPort": 9090},
        {"name": "http", "port": 80, "targetPort": "web"},
    ]}))
}

fn http_ports() -> Value {
    json!([{"name": "metrics", "port": 9090}, {"name": "http", "port": 8080}])
}

#[test]
fn ports_meet_by_name_and_not_by_number() {
    let objects = [http_service(), slice("a", http_ports(), json!([{"addresses": ["10.0.0.1"]}]))];
    assert_eq!(found(objects), ["10.0.0.1:8080"]);
    let other = json!([{"name": "web", "port": 80}]);
    assert!(found([http_service(), slice("a", other, json!([{"addresses": ["10.0.0.1"]}]))]).is_empty());
}

#[test]
fn ports_meet_by_protocol() {
    let ports = json!([{"name": "http", "port": 8080, "protocol": "UDP"}]);
    assert!(found([http_service(), slice("a", ports, json!([{"addresses": ["10.0.0.1"]}]))]).is_empty());
}

#[test]
fn the_only_port_may_have_no_name() {
    let service = service(json!({"ports": [{"port": 80, "targetPort": 8080}]}));
    let ports = json!([{"name": "", "port": 8080}]);
    let objects = [service, slice("a", ports, json!([{"addresses": ["10.0.0.1"]}]))];
    assert_eq!(found(objects), ["10.0.0.1:8080"]);
}

#[test]
fn all_slices_count_and_each_address_once_in_its_best_state() {
    let gone = json!({"ready": false, "serving": true, "terminating": true});
    let objects = [
        http_service(),
        slice("b", http_ports(), json!([{"addresses": ["10.0.0.2"]}, {"addresses": ["10.0.0.1"]}])),
        slice("a", http_ports(), json!([{"addresses": ["10.0.0.1"], "conditions": gone}])),
    ];
    assert_eq!(found(objects), ["10.0.0.1:8080", "10.0.0.2:8080"]);
}

#[test]
fn conditions_say_who_gets_traffic() {
    let endpoints = json!([
        {"addresses": ["10.0.0.1"], "conditions": {}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": true}},
        {"addresses": ["10.0.0.3"], "conditions": {"ready": false}},
        {"addresses": ["10.0.0.4"], "conditions": {"ready": false, "serving": true, "terminating": true}},
        {"addresses": ["10.0.0.5"], "conditions": {"ready": false, "serving": false, "terminating": true}},
        {"addresses": ["10.0.0.6"], "conditions": {"ready": false, "serving": true, "terminating": false}},
    ]);
    let expected = ["10.0.0.1:8080", "10.0.0.2:8080", "(10.0.0.4:8080)"];
    assert_eq!(found([http_service(), slice("a", http_ports(), endpoints)]), expected);
}

#[test]
fn a_service_may_publish_addresses_that_are_not_ready() {
    let ports = json!([{"name": "http", "port": 80}]);
    let service = service(json!({"publishNotReadyAddresses": true, "ports": ports}));
    let endpoints = json!([{"addresses": ["10.0.0.3"], "conditions": {"ready": false}}]);
    assert_eq!(found([service, slice("a", http_ports(), endpoints)]), ["10.0.0.3:8080"]);
}

#[test]
fn ipv6_and_what_is_no_address() {
    let endpoints = json!([{"addresses": ["2001:db8::1", "nonsense", "300.0.0.1"]}]);
    assert_eq!(found([http_service(), slice("a", http_ports(), endpoints)]), ["[2001:db8::1]:8080"]);
}

#[test]
fn the_older_endpoints_object_counts_only_without_slices() {
    let subsets = json!([{
        "addresses": [{"ip": "10.0.0.9"}],
        "notReadyAddresses": [{"ip": "10.0.0.8"}],
        "ports": http_ports(),
    }]);
    assert_eq!(found([http_service(), endpoints_object(subsets.clone())]), ["10.0.0.9:8080"]);
    let slice = slice("a", http_ports(), json!([{"addresses": ["10.0.0.1"]}]));
    assert_eq!(found([http_service(), endpoints_object(subsets), slice]), ["10.0.0.1:8080"]);
}

#[test]
fn one_number_may_be_a_port_of_tcp_and_another_of_udp() {
    let both = || {
        let ports = json!([
            {"name": "quic", "port": 80, "protocol": "UDP"},
            {"name": "http", "port": 80},
        ]);
        let targets = json!([
            {"name": "quic", "port": 8443, "protocol": "UDP"},
            {"name": "http", "port": 8080},
        ]);
        [service(json!({"ports": ports})), slice("a", targets, json!([{"addresses": ["10.0.0.1"]}]))]
    };
    assert_eq!(found_by(Transport::Tcp, both()), ["10.0.0.1:8080"]);
    assert_eq!(found_by(Transport::Udp, both()), ["10.0.0.1:8443"]);
    assert!(found_by(Transport::Udp, [http_service()]).is_empty());
}

#[test]
fn an_external_name_is_left_to_the_data_plane() {
    let external = |name: &str| service(json!({"type": "ExternalName", "externalName": name}));
    assert_eq!(found([external("Example.com.")]), ["example.com:80"]);
    assert_eq!(found([external("192.0.2.7")]), ["192.0.2.7:80"]);
}

#[test]
fn what_does_not_exist_has_no_endpoints() {
    assert!(found([]).is_empty());
    assert!(found([service(json!({"ports": [{"port": 81}]}))]).is_empty());
}

#[test]
fn a_message_says_why_there_are_none() {
    let why = |objects: Vec<Object>| {
        let mut snapshot = Snapshot::default();
        for object in objects {
            snapshot.insert(object);
        }
        let service = snapshot.services.values().next().unwrap();
        let port = service::ports(service).find(|port| port.port == 80);
        EndpointsIndex::new(&snapshot).of(&snapshot).absence(service, port)
    };
    assert_eq!(why(vec![http_service()]), "no EndpointSlice names it");
    let misnamed = slice("a", json!([{"name": "web", "port": 80}]), json!([{"addresses": ["10.0.0.1"]}]));
    let expected = "the port is named `http`, but its EndpointSlices have `web`";
    assert_eq!(why(vec![http_service(), misnamed]), expected);
    let empty = slice("a", http_ports(), json!([]));
    assert_eq!(why(vec![http_service(), empty]), "its EndpointSlices list no address that serves");
    let object = endpoints_object(json!([]));
    assert_eq!(why(vec![http_service(), object]), "its Endpoints object lists no address for this port");
}

#[test]
fn nodes_are_told_to_those_who_ask() {
    let listed = json!([{"addresses": ["10.0.0.1"], "nodeName": "a"}, {"addresses": ["10.0.0.2"]}]);
    let mut snapshot = Snapshot::default();
    for object in [http_service(), slice("a", http_ports(), listed)] {
        snapshot.insert(object);
    }
    let service = NamespacedName::new("shop", "web");
    let key = EndpointsKey { service, port: 80, transport: Transport::Tcp };
    let index = EndpointsIndex::new(&snapshot);
    let nodes = |it: Endpoints| it.endpoints.into_iter().map(|it| it.node).collect::<Vec<_>>();
    assert_eq!(nodes(index.of(&snapshot).endpoints_on_nodes(&key)), [Some("a".into()), None]);
    assert_eq!(nodes(index.of(&snapshot).endpoints(&key)), [None, None]);
}
