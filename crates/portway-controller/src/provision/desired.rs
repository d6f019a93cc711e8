//! The objects that serve a Gateway, as they should be.

use portway_api::portway_parameters::Autoscaling;
use portway_api::resource::GATEWAY_GROUP;
use portway_api::{Gateway, ObjectKey, Spec, gateway::GatewaySpec};
use serde_json::{Value, json};

use super::demand::Demand;
use super::kind::Kind;
use super::settings::{DEFAULT_CPU_UTILIZATION, DEFAULT_REPLICAS, ProvisionSettings};
use super::{CA_FILE, naming, pod, service};

/// The objects that serve a Gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Where they are; all have one name.
    pub key: ObjectKey,
    /// The objects, in the order in which they are to be applied: at most one of each kind.
    pub objects: Vec<DesiredObject>,
    /// Kinds of which the object that is there is left as it is.
    pub retained: Vec<Kind>,
    /// Addresses to write into the Service's status; None leaves that to whoever provides the load balancer.
    pub ingress: Option<Vec<std::net::IpAddr>>,
}

/// An object as it should be: what Portway applies, and nothing of what others own.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredObject {
    /// Kind.
    pub kind: Kind,
    /// The object.
    pub body: Value,
}

/// The objects that serve a Gateway. The same arguments always yield the same objects.
pub fn desired(demand: &Demand<'_>, settings: &ProvisionSettings) -> Desired {
    let name = demand.name();
    let object =
        |kind: Kind, content: Value| DesiredObject { kind, body: body(demand, &name, kind, content) };
    let mut objects = vec![
        object(Kind::ServiceAccount, json!({"automountServiceAccountToken": false})),
        object(Kind::ConfigMap, json!({"data": {CA_FILE: settings.controller_ca}})),
    ];
    // While no listener can be served the Service stays as it is, or its address would be lost.
    let mut retained = Vec::new();
    match service::spec(demand) {
        Some(spec) => objects.push(object(Kind::Service, json!({"spec": spec}))),
        None => retained.push(Kind::Service),
    }
    objects.push(object(Kind::Deployment, json!({"spec": deployment(demand, settings)})));
    objects.push(object(Kind::PodDisruptionBudget, json!({"spec": disruption_budget(demand)})));
    if let Some(autoscaling) = &demand.parameters.autoscaling {
        objects.push(object(Kind::HorizontalPodAutoscaler, json!({"spec": autoscaler(&name, autoscaling)})));
    }
    Desired {
        key: ObjectKey::new(demand.gateway.namespace(), name),
        objects,
        retained,
        ingress: demand.addressing.ingress.clone(),
    }
}

fn body(demand: &Demand<'_>, name: &str, kind: Kind, content: Value) -> Value {
    let mut annotations = demand.annotations();
    if kind == Kind::Service {
        let own = demand.parameters.service.iter().flat_map(|it| &it.annotations);
        annotations.extend(own.map(|(name, value)| (name.clone(), value.clone())));
    }
    let resource = kind.resource();
    let mut body = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": name,
            "namespace": demand.gateway.namespace(),
            "labels": naming::labels(demand.gateway),
            "annotations": annotations,
            "ownerReferences": [owner(demand.gateway)],
        },
    });
    if let (Value::Object(body), Value::Object(content)) = (&mut body, content) {
        body.extend(content);
    }
    body
}

/// With the Gateway the objects go, whether a controller runs or not.
pub(super) fn owner(gateway: &Gateway) -> Value {
    json!({
        "apiVersion": format!("{GATEWAY_GROUP}/{}", GatewaySpec::VERSIONS[0]), // each kind has one version at least
        "kind": GatewaySpec::KIND,
        "name": gateway.name(),
        "uid": gateway.metadata.uid.as_deref().unwrap_or_default(),
        "controller": true,
    })
}

fn deployment(demand: &Demand<'_>, settings: &ProvisionSettings) -> Value {
    // Two pods in the network of one node would want the same ports.
    let (surge, unavailable) = if demand.uses_host_network() { (0, 1) } else { (1, 0) };
    let mut spec = json!({
        "selector": {"matchLabels": naming::selector(demand.gateway)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
        },
        "revisionHistoryLimit": 3,
        "template": pod::template(demand, settings),
    });
    // What scales a Deployment owns the number.
    if demand.parameters.autoscaling.is_none() {
        spec["replicas"] = demand.parameters.replicas.unwrap_or(DEFAULT_REPLICAS).into();
    }
    spec
}

/// One at a time. A budget by the number that must be left would never let the last one of one be moved.
fn disruption_budget(demand: &Demand<'_>) -> Value {
    json!({
        "maxUnavailable": 1,
        "selector": {"matchLabels": naming::selector(demand.gateway)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    })
}

fn autoscaler(name: &str, autoscaling: &Autoscaling) -> Value {
    let Autoscaling { min_replicas, max_replicas, target_cpu_utilization } = autoscaling;
    json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": min_replicas.unwrap_or(DEFAULT_REPLICAS.min(*max_replicas)),
        "maxReplicas": max_replicas,
        "metrics": [{
            "type": "Resource",
            "resource": {"name": "cpu", "target": {
                "type": "Utilization",
                "averageUtilization": target_cpu_utilization.unwrap_or(DEFAULT_CPU_UTILIZATION),
            }},
        }],
    })
}
