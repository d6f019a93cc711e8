//! The Service in front of the proxies of a Gateway.

use portway_api::portway_parameters::{ServiceType, TrafficPolicy};
use serde_json::{Value, json};

use super::demand::Demand;
use super::naming;
use super::port::ServedPort;

/// The spec; None while there is no port to serve, since a Service must have one.
pub(super) fn spec(demand: &Demand<'_>) -> Option<Value> {
    let addressing = demand.addressing;
    let parameters = demand.parameters.service.clone().unwrap_or_default();
    let ports: Vec<_> = demand.ports.iter().map(|it| port(demand, *it)).collect();
    if ports.is_empty() {
        return None;
    }
    let kind = addressing.kind;
    let mut spec = json!({
        "type": kind.as_str(),
        "selector": naming::selector(demand.gateway),
        "ports": ports,
    });
    let mut set = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            spec[field] = value;
        }
    };
    let policy = |policy: TrafficPolicy| json!(policy);
    set("internalTrafficPolicy", parameters.internal_traffic_policy.map(policy));
    set("ipFamilyPolicy", parameters.ip_family_policy.map(|it| json!(it)));
    set("clusterIP", addressing.cluster_ip.map(|it| json!(it)));
    if kind != ServiceType::ClusterIP {
        set("externalTrafficPolicy", parameters.external_traffic_policy.map(policy));
    }
    if kind == ServiceType::LoadBalancer {
        let ranges = parameters.load_balancer_source_ranges;
        set("loadBalancerSourceRanges", Some(ranges).filter(|it| !it.is_empty()).map(|it| json!(it)));
        set("loadBalancerClass", addressing.load_balancer_class.as_ref().map(|it| json!(it)));
        set("loadBalancerIP", addressing.load_balancer_ip.map(|it| json!(it)));
        if addressing.ingress.is_some() && parameters.node_ports.is_empty() {
            // Traffic to an address of a pool comes by that address; a port on every node would be one more way in.
            set("allocateLoadBalancerNodePorts", Some(false.into()));
        }
    }
    Some(spec)
}

fn port(demand: &Demand<'_>, served: ServedPort) -> Value {
    let mut port = json!({
        "name": served.name(),
        "port": served.port,
        "targetPort": served.port,
        "protocol": served.transport.as_str(),
    });
    let chosen = demand
        .parameters
        .service
        .iter()
        .flat_map(|it| &it.node_ports)
        .find(|it| ServedPort { port: it.port, transport: it.protocol.unwrap_or_default() } == served);
    if let Some(chosen) = chosen.filter(|_| demand.addressing.kind != ServiceType::ClusterIP) {
        port["nodePort"] = chosen.node_port.into();
    }
    port
}
