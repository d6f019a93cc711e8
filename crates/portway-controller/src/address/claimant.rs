//! What each Gateway asks for, and what its Service says that it has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portway_api::core::Service;
use portway_api::gateway::{GatewaySpecAddress, HOSTNAME_ADDRESS, IP_ADDRESS, ROUTABILITY_CLUSTER};
use portway_api::listener::ProtocolType;
use portway_api::portway_parameters::{PortwayParametersSpec, ServiceType, TransportProtocol};
use portway_api::{Gateway, ObjectKey, Snapshot};
use portway_translate::parameters;

use super::pool::Pool;
use super::{Known, LOAD_BALANCER_CLASS, RefusedClusterIp};
use crate::provision::{ServedPort, naming};

/// A Gateway that needs addresses.
#[derive(Clone, Debug)]
pub(super) struct Claimant<'a> {
    pub(super) key: &'a ObjectKey,
    pub(super) gateway: &'a Gateway,
    pub(super) parameters: PortwayParametersSpec,
    /// The Service that there is or will be.
    pub(super) service_key: ObjectKey,
    pub(super) service: Option<&'a Service>,
    /// The ports that it wants at each of its addresses.
    pub(super) ports: BTreeSet<ServedPort>,
    /// The addresses of a pool that were decided on before, which the Service may not say yet.
    promised: Vec<IpAddr>,
    /// What the API server would not give its Service.
    refused: Option<&'a RefusedClusterIp>,
}

/// What one entry of `spec.addresses` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    /// This address, or any.
    Ip { value: Option<IpAddr>, routability: &'a str },
    /// This ClusterIP, or any.
    ClusterIp(Option<IpAddr>),
    /// This name, or any.
    Hostname(Option<&'a str>),
    /// Something that makes no sense; translation says so.
    Senseless,
}

impl<'a> Claimant<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        key: &'a ObjectKey,
        gateway: &'a Gateway,
        known: Known<'a>,
    ) -> Self {
        let name = naming::name(gateway.name(), &gateway.spec.gateway_class_name);
        let service_key = ObjectKey::new(gateway.namespace(), name);
        Self {
            key,
            gateway,
            parameters: parameters::merged(snapshot, gateway),
            service: snapshot.services.get(&service_key).map(|it| &**it),
            service_key,
            ports: wanted_ports(snapshot, key, gateway),
            promised: known.decided.get(key).and_then(|it| it.service.ingress.clone()).unwrap_or_default(),
            refused: known.refused.get(key),
        }
    }

    pub(super) fn requests(&self) -> Vec<Request<'a>> {
        self.gateway.spec.addresses.iter().map(Request::new).collect()
    }

    /// The type of its Service. Where nothing is asked for but to be reachable in the cluster, nothing else is opened.
    pub(super) fn service_type(&self) -> ServiceType {
        let requests = self.requests();
        if !requests.is_empty() && requests.iter().all(|it| matches!(it, Request::ClusterIp(_))) {
            return ServiceType::ClusterIP;
        }
        let chosen = self.parameters.service.as_ref().and_then(|it| it.kind);
        let uses_host_network = self.parameters.host_network.unwrap_or_default();
        chosen.unwrap_or(if uses_host_network { ServiceType::ClusterIP } else { ServiceType::LoadBalancer })
    }

    /// The class of its load balancer.
    pub(super) fn load_balancer_class(&self, pools: &[Pool<'_>]) -> Option<String> {
        let chosen = self.parameters.service.as_ref().and_then(|it| it.load_balancer_class.clone());
        if chosen.is_some() {
            return chosen;
        }
        let spec = self.service.and_then(|it| it.spec.as_ref());
        let is_given_by_another = spec.is_some_and(|spec| {
            spec.type_.as_deref() == Some(ServiceType::LoadBalancer.as_str())
                && spec.load_balancer_class.is_none()
                && !self.ingress_ips().is_empty()
        });
        // What somebody else serves already is not taken from them.
        let is_ours = !is_given_by_another && pools.iter().any(|pool| pool.selects(self.gateway));
        is_ours.then(|| LOAD_BALANCER_CLASS.to_owned())
    }

    /// The addresses that its Service has of its load balancer.
    pub(super) fn ingress_ips(&self) -> Vec<IpAddr> {
        self.ingress().filter_map(|it| it.ip.as_deref()?.parse().ok()).collect()
    }

    /// The names that its Service has of its load balancer.
    pub(super) fn ingress_hostnames(&self) -> Vec<&'a str> {
        self.ingress().filter_map(|it| it.hostname.as_deref()).collect()
    }

    fn ingress(&self) -> impl Iterator<Item = &'a k8s_openapi::api::core::v1::LoadBalancerIngress> {
        let status = self.service.and_then(|it| it.status.as_ref()?.load_balancer.as_ref());
        status.and_then(|it| it.ingress.as_ref()).into_iter().flatten()
    }

    /// Why the API server would not give its Service this ClusterIP, if it was asked to.
    pub(super) fn refusal_of(&self, address: IpAddr) -> Option<&'a str> {
        self.refused.filter(|it| it.address == address).map(|it| it.message.as_str())
    }

    /// The addresses that Portway gave it before: as its Service says, or as was decided while the Service says nothing yet.
    /// The status may have told of those already.
    pub(super) fn held(&self) -> Vec<IpAddr> {
        let class = self.service.and_then(|it| it.spec.as_ref()?.load_balancer_class.as_deref());
        let told = if class == Some(LOAD_BALANCER_CLASS) { self.ingress_ips() } else { Vec::new() };
        if told.is_empty() { self.promised.clone() } else { told }
    }

    /// The ports that it has at those.
    pub(super) fn held_ports(&self) -> BTreeSet<ServedPort> {
        let ports = self.service.and_then(|it| it.spec.as_ref()?.ports.as_ref()).into_iter().flatten();
        ports.filter_map(ServedPort::of_service).collect()
    }

    /// Its ClusterIPs.
    pub(super) fn cluster_ips(&self) -> Vec<IpAddr> {
        let ips = self.service.and_then(|it| it.spec.as_ref()?.cluster_ips.as_ref()).into_iter().flatten();
        ips.filter_map(|it| it.parse().ok()).collect()
    }

    /// Whether the Service can have an address of this family; before it is there nobody knows.
    pub(super) fn has_family_of(&self, address: IpAddr) -> bool {
        let families = self.service.and_then(|it| it.spec.as_ref()?.ip_families.as_ref());
        let name = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        families.is_none_or(|it| it.is_empty() || it.iter().any(|family| family == name))
    }

    /// Older Gateways come first.
    pub(super) fn precedence(&self) -> (Option<i64>, &'a ObjectKey) {
        (self.gateway.metadata.creation_timestamp.as_ref().map(|it| it.0.as_second()), self.key)
    }
}

impl<'a> Request<'a> {
    fn new(address: &'a GatewaySpecAddress) -> Self {
        let routability = address.routability.as_deref().unwrap_or_default();
        if address.kind() == HOSTNAME_ADDRESS {
            return Self::Hostname(address.value());
        }
        let value = match address.value().map(str::parse::<IpAddr>) {
            None => None,
            Some(Ok(value)) => Some(value),
            Some(Err(_)) => return Self::Senseless,
        };
        match (address.kind(), routability) {
            (IP_ADDRESS, ROUTABILITY_CLUSTER) => Self::ClusterIp(value),
            (IP_ADDRESS, _) => Self::Ip { value, routability },
            _ => Self::Senseless,
        }
    }
}

/// The ports of a Gateway's listeners, and of its ListenerSets that are accepted. Not whether they are served: that hangs
/// on what is decided here.
fn wanted_ports(snapshot: &Snapshot, key: &ObjectKey, gateway: &Gateway) -> BTreeSet<ServedPort> {
    let sets = snapshot.listener_sets.values().filter(|set| {
        let parent = &set.spec.parent_ref;
        let namespace = parent.namespace.as_deref().unwrap_or(set.namespace());
        let conditions = set.status.iter().flat_map(|it| &it.conditions);
        namespace == key.namespace
            && parent.name == key.name
            && conditions.into_iter().any(|it| it.type_ == "Accepted" && it.status == "True")
    });
    let listeners = gateway.spec.listeners.iter().chain(sets.flat_map(|set| &set.spec.listeners));
    listeners
        .filter_map(|it| {
            let is_udp = it.protocol == ProtocolType::Udp;
            let transport = if is_udp { TransportProtocol::Udp } else { TransportProtocol::Tcp };
            Some(ServedPort { port: u16::try_from(it.port).ok()?, transport })
        })
        .collect()
}
