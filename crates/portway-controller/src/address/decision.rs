//! What was decided for one Gateway.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portway_api::ObjectKey;
use portway_api::portway_parameters::{ServiceType, TransportProtocol};
use portway_translate::AddressOutcome;

use super::host::Nodes;
use crate::provision::ServedPort;

/// What was decided for one Gateway.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What became of each entry of `spec.addresses`; where there is none, what was chosen.
    pub outcomes: Vec<AddressOutcome>,
    /// What that asks of the Service.
    pub service: ServiceAddressing,
    /// Ports that are not served, since another Gateway has them at the same address: why, each a sentence without capital
    /// and full stop.
    pub taken_ports: BTreeMap<ServedPort, String>,
}

impl Decision {
    /// As a translation takes them.
    pub fn taken_ports(&self) -> BTreeMap<(TransportProtocol, u16), String> {
        self.taken_ports.iter().map(|(it, why)| ((it.transport, it.port), why.clone())).collect()
    }
}

/// What is known beside the objects.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What was decided last, which the Services do not say until they are written and seen: an address that was told of must
    /// not go to another Gateway in between.
    pub decided: &'a BTreeMap<ObjectKey, Decision>,
    /// Of each Gateway, the ClusterIP that it cannot have.
    pub refused: &'a RefusedClusterIps,
    /// The nodes, where a Service of type NodePort is reached.
    pub nodes: &'a Nodes,
}

/// Of each Gateway, the ClusterIP that it cannot have.
pub type RefusedClusterIps = BTreeMap<ObjectKey, RefusedClusterIp>;

/// A ClusterIP that the API server would not give a Service: it is none, or another Service has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedClusterIp {
    /// What was asked for.
    pub address: IpAddr,
    /// What the API server says.
    pub message: String,
}

/// What the addresses of a Gateway ask of its Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceAddressing {
    /// Its type.
    pub kind: ServiceType,
    /// Who provides its load balancer; None is the cluster's default one.
    pub load_balancer_class: Option<String>,
    /// The address to ask a cloud's load balancer for.
    pub load_balancer_ip: Option<IpAddr>,
    /// The ClusterIP to ask for.
    pub cluster_ip: Option<IpAddr>,
    /// The addresses that Portway itself assigns; None where somebody else does.
    pub ingress: Option<Vec<IpAddr>>,
}
