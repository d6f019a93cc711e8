//! PortwayParameters: how the proxies of a Gateway are run. A kind of Portway's own.
//!
//! A GatewayClass names one in `spec.parametersRef` for all its Gateways, a Gateway one in
//! `spec.infrastructure.parametersRef` for itself. Where both do, the Gateway's wins, field by field
//! ([`PortwayParametersSpec::over`]).

mod over;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration, TopologySpreadConstraint};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resource::{PORTWAY_GROUP, Resource, Spec};

/// How the proxies of a Gateway are run.
pub type PortwayParameters = Resource<PortwayParametersSpec>;

/// Spec of [`PortwayParameters`]. What is absent is left to the GatewayClass, then to Portway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortwayParametersSpec {
    /// Number of proxies; Portway's choice is 2. Not together with `autoscaling`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Lets the number of proxies follow their load, by a HorizontalPodAutoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// What a proxy asks for and may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// The Service in front of the proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceParameters>,
    /// On which nodes proxies run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Whether proxies use the network of their node, and so its addresses and ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_network: Option<bool>,
    /// What is written of each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogFormat>,
    /// Logs of the proxy itself and its metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
    /// Number of proxies in front whose `X-Forwarded-*` entries are believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_hops: Option<u8>,
    /// A part of a PodTemplateSpec that is laid over the pods of the proxies: objects are merged, lists whose entries have
    /// names are merged by name, other values take the place of what is there, and `null` removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<Value>,
}

impl Spec for PortwayParametersSpec {
    const GROUP: &'static str = PORTWAY_GROUP;
    const KIND: &'static str = "PortwayParameters";
    const VERSIONS: &'static [&'static str] = &["v1alpha1"];
    type Status = NoStatus;
}

/// The status of a kind that has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoStatus {}

/// Bounds and aim of the number of proxies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Autoscaling {
    /// Fewest proxies; Portway's choice is 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<i32>,
    /// Most proxies.
    pub max_replicas: i32,
    /// Use of the CPU that is aimed at, in percent of what a proxy requests; Portway's choice is 70.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_cpu_utilization: Option<i32>,
}

/// The Service in front of the proxies of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceParameters {
    /// Its type; `LoadBalancer` is Portway's choice.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ServiceType>,
    /// Whether nodes pass traffic from outside on to proxies on other nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<TrafficPolicy>,
    /// The same for traffic from within the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_traffic_policy: Option<TrafficPolicy>,
    /// Which load balancer serves it; with one that is not Portway's, no AddressPool gives it an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// From where a load balancer lets clients through, as CIDRs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_balancer_source_ranges: Vec<String>,
    /// Which port of the nodes leads to which port of the Gateway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_ports: Vec<NodePort>,
    /// Which IP families it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// Annotations for the Service alone, as cloud controllers read them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Type of a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they mean what they mean in a Service")]
pub enum ServiceType {
    #[default]
    LoadBalancer,
    NodePort,
    ClusterIP,
}

impl ServiceType {
    /// As a Service writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoadBalancer => "LoadBalancer",
            Self::NodePort => "NodePort",
            Self::ClusterIP => "ClusterIP",
        }
    }
}

/// To which endpoints a node sends traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrafficPolicy {
    /// To those of the whole cluster.
    Cluster,
    /// To those on the node; the client's address stays.
    Local,
}

/// Which IP families a Service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "they mean what they mean in a Service")]
pub enum IpFamilyPolicy {
    SingleStack,
    PreferDualStack,
    RequireDualStack,
}

/// Which port of the nodes leads to which port of the Gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodePort {
    /// Port of the Gateway.
    pub port: u16,
    /// Transport; absent is TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<TransportProtocol>,
    /// Port of the nodes.
    pub node_port: u16,
}

/// Transport of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "each is named for the protocol")]
pub enum TransportProtocol {
    #[default]
    Tcp,
    Udp,
}

impl TransportProtocol {
    /// As a Service writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

/// On which nodes proxies run; each field means what it means in a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Labels that the node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that are borne.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// In place of Portway's choice, by which the proxies of a Gateway keep to different nodes where they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// In place of Portway's choice, by which they spread over zones where they can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Importance of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

/// Form of the access log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessLogFormat {
    /// One JSON object for each request.
    #[default]
    Json,
    /// One line for people.
    Text,
    /// None.
    Off,
}

/// Logs of the proxy itself and its metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Telemetry {
    /// Least severity of what the proxy logs of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// Whether requests are counted for each route too, which makes more series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_metrics: Option<bool>,
}

/// Severity of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "each is named for the level")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// As the command line takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
