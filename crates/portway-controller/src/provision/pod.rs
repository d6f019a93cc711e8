//! The pods of a Gateway. Nothing here depends on its listeners: one that comes or goes restarts no proxy.

use std::collections::BTreeMap;

use portway_api::Gateway;
use portway_api::portway_parameters::{AccessLogFormat, Placement, PortwayParametersSpec};
use portway_config::NamespacedName;
use portway_config::network_policy::{GatewayProxies, NamedPort};
use serde_json::{Map, Value, json};

use super::demand::Demand;
use super::overlay::lay_over;
use super::settings::{
    ADMIN_PORT, DEFAULT_CPU_REQUEST, DEFAULT_MEMORY_REQUEST, DRAIN_TIMEOUT, ProvisionSettings,
    TERMINATION_GRACE, TOKEN_AUDIENCE, TOKEN_LIFETIME, USER,
};
use super::{CA_FILE, naming};

/// The name of the port of the admin endpoint.
const ADMIN_NAME: &str = "admin";
const CA_DIRECTORY: &str = "/etc/portway/ca";
const TOKEN_DIRECTORY: &str = "/var/run/secrets/portway";
const STATE_DIRECTORY: &str = "/var/lib/portway";
/// Most that a proxy may keep there.
const STATE_SIZE: &str = "64Mi";

/// Who the proxies of a Gateway are to network policies. None where they are in the network of their nodes, so that no policy
/// recognises them.
pub fn proxies(gateway: &Gateway, parameters: &PortwayParametersSpec) -> Option<GatewayProxies> {
    if parameters.host_network.unwrap_or_default() {
        return None;
    }
    let labels = labels(gateway, parameters).into_iter();
    Some(GatewayProxies {
        gateway: NamespacedName::new(gateway.namespace(), gateway.name()),
        labels: labels.map(|(key, value)| (key.into(), value.into())).collect(),
        ports: vec![NamedPort { name: ADMIN_NAME.into(), protocol: "TCP".into(), port: ADMIN_PORT }],
    })
}

/// The labels of the pods.
fn labels(gateway: &Gateway, parameters: &PortwayParametersSpec) -> BTreeMap<String, String> {
    let mut metadata = json!({"labels": naming::labels(gateway)});
    if let Some(overlay) = parameters.pod_template.as_ref().and_then(|it| it.get("metadata")) {
        lay_over(&mut metadata, overlay);
    }
    let laid_over = metadata["labels"].as_object().into_iter().flatten();
    let texts = laid_over.filter_map(|(label, value)| Some((label.clone(), value.as_str()?.to_owned())));
    let mut labels: BTreeMap<_, _> = texts.collect();
    // Without these the Deployment would not know its own pods.
    labels.extend(naming::selector(gateway));
    labels
}

/// The pod template.
pub(super) fn template(demand: &Demand<'_>, settings: &ProvisionSettings) -> Value {
    let mut template = json!({
        "metadata": {"labels": naming::labels(demand.gateway)},
        "spec": spec(demand, settings),
    });
    let annotations = demand.annotations();
    if !annotations.is_empty() {
        template["metadata"]["annotations"] = json!(annotations);
    }
    if let Some(overlay) = &demand.parameters.pod_template {
        lay_over(&mut template, overlay);
        template["metadata"]["labels"] = json!(labels(demand.gateway, demand.parameters));
    }
    template
}

fn spec(demand: &Demand<'_>, settings: &ProvisionSettings) -> Value {
    let mut spec = json!({
        "serviceAccountName": demand.name(),
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": TERMINATION_GRACE.as_secs(),
        "securityContext": security_context(demand),
        "containers": [container(demand, settings)],
        "volumes": [
            {"name": "ca", "configMap": {"name": demand.name()}},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {
                "audience": TOKEN_AUDIENCE, "expirationSeconds": TOKEN_LIFETIME.as_secs(), "path": "token",
            }}]}},
            // Private keys are among what is kept there, so it is not on the node's disk.
            {"name": "state", "emptyDir": {"medium": "Memory", "sizeLimit": STATE_SIZE}},
        ],
    });
    if demand.uses_host_network() {
        spec["hostNetwork"] = true.into();
        spec["dnsPolicy"] = "ClusterFirstWithHostNet".into();
    }
    place(demand, &mut spec);
    spec
}

/// A pod has a network namespace of its own, in which low ports are made open to everyone: that takes no capability.
/// The node's has to stay as it is, so there one capability is needed, and with it root, since Kubernetes gives
/// capabilities to no other user.
fn security_context(demand: &Demand<'_>) -> Value {
    let seccomp = json!({"type": "RuntimeDefault"});
    if demand.uses_host_network() {
        return json!({"runAsUser": 0, "seccompProfile": seccomp});
    }
    json!({
        "runAsNonRoot": true,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": seccomp,
        "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
    })
}

fn container(demand: &Demand<'_>, settings: &ProvisionSettings) -> Value {
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let mut capabilities = json!({"drop": ["ALL"]});
    if demand.uses_host_network() {
        capabilities["add"] = json!(["NET_BIND_SERVICE"]);
    }
    let mut container = json!({
        "name": "proxy",
        "image": settings.image,
        "args": args(demand, settings),
        "env": [
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("POD_IP", "status.podIP"),
        ],
        "ports": [{"name": ADMIN_NAME, "containerPort": ADMIN_PORT, "protocol": "TCP"}],
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": capabilities,
        },
        // A proxy is ready once it has a configuration; to ask each second costs little and is what a new Gateway waits for.
        "startupProbe": probe("/healthz", 1, 60),
        "readinessProbe": probe("/readyz", 1, 3),
        "livenessProbe": probe("/healthz", 10, 3),
        "resources": resources(demand),
        "volumeMounts": [
            {"name": "ca", "mountPath": CA_DIRECTORY, "readOnly": true},
            {"name": "token", "mountPath": TOKEN_DIRECTORY, "readOnly": true},
            {"name": "state", "mountPath": STATE_DIRECTORY},
        ],
    });
    if !settings.image_pull_policy.is_empty() {
        container["imagePullPolicy"] = settings.image_pull_policy.as_str().into();
    }
    container
}

fn probe(path: &str, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": path, "port": "admin"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    })
}

fn resources(demand: &Demand<'_>) -> Value {
    match &demand.parameters.resources {
        Some(resources) => json!(resources),
        None => json!({"requests": {"cpu": DEFAULT_CPU_REQUEST, "memory": DEFAULT_MEMORY_REQUEST}}),
    }
}

fn args(demand: &Demand<'_>, settings: &ProvisionSettings) -> Vec<String> {
    let access_log = match demand.parameters.access_log.unwrap_or_default() {
        AccessLogFormat::Json => "json",
        AccessLogFormat::Text => "text",
        AccessLogFormat::Off => "off",
    };
    let mut args = vec![
        "proxy".to_owned(),
        format!("--gateway={}/{}", demand.gateway.namespace(), demand.gateway.name()),
        format!("--controller={}", settings.controller),
        format!("--controller-ca={CA_DIRECTORY}/{CA_FILE}"),
        format!("--token-file={TOKEN_DIRECTORY}/token"),
        format!("--state-dir={STATE_DIRECTORY}"),
        format!("--admin=0.0.0.0:{ADMIN_PORT}"),
        format!("--access-log={access_log}"),
        format!("--drain-timeout={}s", DRAIN_TIMEOUT.as_secs()),
    ];
    if let Some(telemetry) = &demand.parameters.telemetry {
        args.extend(telemetry.log_level.map(|level| format!("--log-level={}", level.as_str())));
        args.extend(telemetry.route_metrics.filter(|it| *it).map(|_| "--route-metrics".to_owned()));
    }
    args
}

/// On which nodes: the user's choice, else on different nodes and in different zones where that can be.
fn place(demand: &Demand<'_>, spec: &mut Value) {
    let selector = json!({"matchLabels": naming::selector(demand.gateway)});
    let term = json!({"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"});
    let apart = json!({
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}],
        },
    });
    let spread = json!([{
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": selector,
        "matchLabelKeys": ["pod-template-hash"],
    }]);
    let Placement { node_selector, tolerations, affinity, topology_spread_constraints, priority_class_name } =
        demand.parameters.placement.clone().unwrap_or_default();
    spec["affinity"] = affinity.map_or(apart, |it| json!(it));
    spec["topologySpreadConstraints"] =
        if topology_spread_constraints.is_empty() { spread } else { json!(topology_spread_constraints) };
    let mut set = Map::new();
    if !node_selector.is_empty() {
        set.insert("nodeSelector".to_owned(), json!(node_selector));
    }
    if !tolerations.is_empty() {
        set.insert("tolerations".to_owned(), json!(tolerations));
    }
    if let Some(name) = priority_class_name {
        set.insert("priorityClassName".to_owned(), name.into());
    }
    lay_over(spec, &Value::Object(set));
}
