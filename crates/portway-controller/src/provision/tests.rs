//! Golden tests of what is provisioned: the arguments in, the objects out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portway_api::Gateway;
use portway_api::portway_parameters::{PortwayParametersSpec, ServiceType, TransportProtocol};
use serde_json::{Value, json};

use super::*;
use crate::address::{LOAD_BALANCER_CLASS, ServiceAddressing};

fn settings() -> ProvisionSettings {
    ProvisionSettings {
        image: "ghcr.io/portway/portway:0.1.0".to_owned(),
        image_pull_policy: String::new(),
        controller: "portway-controller.portway-system.svc:18000".to_owned(),
        controller_ca: "-----BEGIN CERTIFICATE-----\n".to_owned(),
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}"))
}

fn gateway(infrastructure: Value) -> Gateway {
    read(json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "edge", "namespace": "infra", "uid": "6b0b4b0e"},
        "spec": {"gatewayClassName": "portway", "listeners": [], "infrastructure": infrastructure},
    }))
}

fn ports(numbers: &[(u16, TransportProtocol)]) -> BTreeSet<ServedPort> {
    numbers.iter().map(|(port, transport)| ServedPort { port: *port, transport: *transport }).collect()
}

fn web() -> BTreeSet<ServedPort> {
    ports(&[(80, TransportProtocol::Tcp), (443, TransportProtocol::Tcp)])
}

fn provision(
    infrastructure: Value,
    parameters: Value,
    ports: &BTreeSet<ServedPort>,
    addressing: &ServiceAddressing,
) -> Desired {
    let (gateway, parameters): (_, PortwayParametersSpec) = (gateway(infrastructure), read(parameters));
    desired(&Demand { gateway: &gateway, parameters: &parameters, ports, addressing }, &settings())
}

fn bodies(desired: &Desired) -> Vec<&Value> {
    desired.objects.iter().map(|it| &it.body).collect()
}

fn of(desired: &Desired, kind: Kind) -> Value {
    desired.objects.iter().find(|it| it.kind == kind).map(|it| it.body.clone()).unwrap_or_default()
}

#[test]
fn a_plain_gateway() {
    let desired = provision(json!({}), json!({}), &web(), &ServiceAddressing::default());
    insta::assert_yaml_snapshot!(bodies(&desired));
}

#[test]
fn all_parameters() {
    let parameters = json!({
        "autoscaling": {"minReplicas": 3, "maxReplicas": 9, "targetCpuUtilization": 60},
        "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "512Mi"}},
        "service": {
            "externalTrafficPolicy": "Local",
            "loadBalancerClass": "example.com/lb",
            "loadBalancerSourceRanges": ["192.0.2.0/24"],
            "nodePorts": [{"port": 443, "nodePort": 30443}],
            "ipFamilyPolicy": "PreferDualStack",
            "annotations": {"example.com/scheme": "internal"},
        },
        "placement": {
            "nodeSelector": {"edge": "true"},
            "tolerations": [{"key": "edge", "operator": "Exists"}],
            "priorityClassName": "high",
        },
        "accessLog": "Text",
        "telemetry": {"logLevel": "debug", "routeMetrics": true},
        "podTemplate": {
            "metadata": {"annotations": {"example.com/scrape": "true"},
                         "labels": {"gateway.networking.k8s.io/gateway-name": "of-another"}},
            "spec": {"containers": [{"name": "proxy", "env": [{"name": "RUST_BACKTRACE", "value": "1"}]},
                                    {"name": "beside", "image": "example.com/beside"}]},
        },
    });
    let infrastructure = json!({
        "labels": {"team": "edge", "app.kubernetes.io/managed-by": "somebody"}, "annotations": {"key1": "value1"},
    });
    let addressing = ServiceAddressing {
        load_balancer_class: Some("example.com/lb".to_owned()),
        ..ServiceAddressing::default()
    };
    let desired = provision(infrastructure, parameters, &web(), &addressing);
    insta::assert_yaml_snapshot!(bodies(&desired));
}

#[test]
fn the_network_of_the_node() {
    let addressing = ServiceAddressing { kind: ServiceType::ClusterIP, ..ServiceAddressing::default() };
    let desired = provision(json!({}), json!({"hostNetwork": true, "replicas": 1}), &web(), &addressing);
    insta::assert_yaml_snapshot!([of(&desired, Kind::Deployment), of(&desired, Kind::Service)]);
}

#[test]
fn addresses_of_a_pool() {
    let address: IpAddr = [192, 0, 2, 7].into();
    let addressing = ServiceAddressing {
        load_balancer_class: Some(LOAD_BALANCER_CLASS.to_owned()),
        ingress: Some(vec![address]),
        ..ServiceAddressing::default()
    };
    let served = ports(&[(53, TransportProtocol::Tcp), (53, TransportProtocol::Udp)]);
    let desired = provision(json!({}), json!({}), &served, &addressing);
    assert_eq!(desired.ingress, Some(vec![address]));
    insta::assert_yaml_snapshot!(of(&desired, Kind::Service)["spec"]);
}

/// GEP-1762 and the issue: a listener that comes or goes restarts no proxy.
#[test]
fn listeners_change_the_service_alone() {
    let (few, many) = (web(), ports(&[(80, TransportProtocol::Tcp), (8080, TransportProtocol::Tcp)]));
    let few = provision(json!({}), json!({}), &few, &ServiceAddressing::default());
    let many = provision(json!({}), json!({}), &many, &ServiceAddressing::default());
    for (a, b) in few.objects.iter().zip(&many.objects) {
        assert_eq!(a == b, a.kind != Kind::Service, "{:?}", a.kind);
    }
}

#[test]
fn without_a_port_the_service_stays_as_it_is() {
    let desired = provision(json!({}), json!({}), &BTreeSet::new(), &ServiceAddressing::default());
    assert_eq!(desired.retained, [Kind::Service]);
    assert!(desired.objects.iter().all(|it| it.kind != Kind::Service));
}
