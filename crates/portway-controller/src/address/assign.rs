//! The decision for each Gateway.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portway_api::gateway::{GatewayStatusAddress, HOSTNAME_ADDRESS, IP_ADDRESS, ROUTABILITY_CLUSTER};
use portway_api::portway_parameters::ServiceType;
use portway_api::{ObjectKey, Snapshot};
use portway_translate::{AddressOutcome, Controllers};

use super::allocation::{Allocation, Grant, allocate};
use super::claimant::{Claimant, Request};
use super::pool::Pool;
use super::{Decision, Known, LOAD_BALANCER_CLASS, Nodes, ServiceAddressing, host};

/// The most addresses that a status can tell (`apis/v1`, GatewayStatus).
const MAX_ADDRESSES: usize = 16;

/// Decides on the addresses of all Gateways of our classes. What was decided long ago stands in the Services, so that
/// neither a restart nor another controller decides otherwise.
pub fn assign(
    snapshot: &Snapshot,
    controllers: &Controllers,
    known: Known<'_>,
) -> BTreeMap<ObjectKey, Decision> {
    let is_ours = |class: &str| {
        snapshot.gateway_classes.get(class).is_some_and(|it| controllers.include(&it.spec.controller_name))
    };
    let gateways = snapshot.gateways.iter().filter(|(_, it)| is_ours(&it.spec.gateway_class_name));
    let claimants: Vec<_> = gateways.map(|(key, it)| Claimant::new(snapshot, key, it, known)).collect();
    let pools: Vec<_> = snapshot.address_pools.values().map(|it| Pool::new(it)).collect();
    let classes: Vec<_> = claimants.iter().map(|it| class(it, &pools)).collect();
    let of_pools: Vec<_> = claimants
        .iter()
        .zip(&classes)
        .filter_map(|(claimant, class)| (class.as_deref() == Some(LOAD_BALANCER_CLASS)).then_some(claimant))
        .collect();
    let allocation = allocate(&of_pools, &pools);
    claimants
        .iter()
        .zip(classes)
        .map(|(claimant, class)| {
            let decider = Decider::new(snapshot, claimant, class, &allocation, known.nodes);
            (claimant.key.clone(), decider.decide())
        })
        .collect()
}

/// The class of the Service's load balancer, where it has one at all.
fn class(claimant: &Claimant<'_>, pools: &[Pool<'_>]) -> Option<String> {
    let is_balanced = claimant.service_type() == ServiceType::LoadBalancer;
    if is_balanced { claimant.load_balancer_class(pools) } else { None }
}

/// Decides for one Gateway.
struct Decider<'d, 'a> {
    claimant: &'d Claimant<'a>,
    allocation: &'d Allocation<'a>,
    decision: Decision,
    /// What there is to give to requests, for each only once.
    cluster_ips: Vec<IpAddr>,
    /// Of the load balancer, or of the nodes.
    ips: Vec<IpAddr>,
    hostnames: Vec<&'a str>,
    /// Whether the Gateway is reached at nodes, so that ClusterIPs are not told unless asked for.
    is_of_nodes: bool,
}

impl<'d, 'a> Decider<'d, 'a> {
    fn new(
        snapshot: &Snapshot,
        claimant: &'d Claimant<'a>,
        class: Option<String>,
        allocation: &'d Allocation<'a>,
        nodes: &Nodes,
    ) -> Self {
        let kind = claimant.service_type();
        let uses_host_network = claimant.parameters.host_network.unwrap_or_default();
        let is_node_port = kind == ServiceType::NodePort && !nodes.by_name.is_empty();
        let ips = match kind {
            ServiceType::LoadBalancer => claimant.ingress_ips(),
            _ if uses_host_network => host::addresses(snapshot, &claimant.service_key),
            _ if is_node_port => host::node_port_addresses(snapshot, claimant, nodes),
            _ => Vec::new(),
        };
        let service = ServiceAddressing { kind, load_balancer_class: class, ..ServiceAddressing::default() };
        Self {
            claimant,
            allocation,
            decision: Decision { service, ..Decision::default() },
            cluster_ips: claimant.cluster_ips(),
            ips,
            hostnames: claimant.ingress_hostnames(),
            is_of_nodes: uses_host_network || is_node_port,
        }
    }

    fn decide(mut self) -> Decision {
        let requests = self.claimant.requests();
        let outcomes = if requests.is_empty() {
            self.chosen()
        } else {
            // Those that name an address first, or another request could be given it.
            let is_open = |it: &Request<'_>| {
                matches!(
                    it,
                    Request::Ip { value: None, .. } | Request::ClusterIp(None) | Request::Hostname(None)
                )
            };
            let mut order: Vec<_> = (0..requests.len()).collect();
            order.sort_by_key(|index| is_open(&requests[*index]));
            let mut outcomes: Vec<_> =
                order.into_iter().map(|index| (index, self.entry(index, requests[index]))).collect();
            outcomes.sort_by_key(|(index, _)| *index);
            outcomes.into_iter().map(|(_, outcome)| outcome).collect()
        };
        self.decision.outcomes = outcomes;
        if self.is_of_pool() {
            self.decision.service.ingress = Some(self.allocation.addresses(self.claimant.key));
            self.decision.taken_ports = self
                .allocation
                .taken_ports(self.claimant)
                .map(|(port, address, owner)| {
                    (port, format!("port {port} of {address} is Gateway {owner}'s"))
                })
                .collect();
        }
        self.decision
    }

    fn is_of_pool(&self) -> bool {
        self.decision.service.load_balancer_class.as_deref() == Some(LOAD_BALANCER_CLASS)
    }

    fn is_balanced(&self) -> bool {
        self.decision.service.kind == ServiceType::LoadBalancer
    }

    /// For a Gateway that asks for nothing: all that there is.
    fn chosen(&mut self) -> Vec<AddressOutcome> {
        if self.is_of_pool() {
            return vec![self.granted(0, "")];
        }
        let mut outcomes: Vec<_> = self.ips.iter().map(|it| assigned_ip(*it, "")).collect();
        outcomes.extend(self.hostnames.iter().map(|it| assigned_hostname(it)));
        if !self.is_balanced() && !self.is_of_nodes {
            outcomes.extend(self.cluster_ips.iter().map(|it| assigned_ip(*it, ROUTABILITY_CLUSTER)));
        }
        outcomes.truncate(MAX_ADDRESSES);
        if outcomes.is_empty() { vec![self.awaited()] } else { outcomes }
    }

    fn entry(&mut self, index: usize, request: Request<'_>) -> AddressOutcome {
        match request {
            Request::Senseless => AddressOutcome::Awaited(String::new()),
            // Whatever the reason, such an entry is not satisfied: `AddressNotAssigned` (GEP-5093, conformance scenarios).
            Request::ClusterIp(value) => match self.cluster_ip(value, ROUTABILITY_CLUSTER) {
                AddressOutcome::Refused { message, help, .. } => refused(false, &message, &help),
                outcome => outcome,
            },
            Request::Ip { routability, .. } if self.is_of_pool() => self.granted(index, routability),
            Request::Ip { value, routability } if self.is_balanced() => self.of_cloud(value, routability),
            Request::Ip { value, routability } => {
                // What is reachable within the cluster and nowhere else says so (GEP-5093, default semantics).
                if let Some(address) = take(&mut self.ips, value) {
                    return assigned_ip(address, routability);
                }
                self.cluster_ip(value, if routability.is_empty() { ROUTABILITY_CLUSTER } else { routability })
            }
            // Whether the name leads here is in the hands of whoever keeps the DNS zone.
            Request::Hostname(Some(name)) => assigned_hostname(name),
            Request::Hostname(None) if self.hostnames.is_empty() => refused(
                false,
                "the load balancer of this Gateway has no name to assign",
                "name the hostname, or use type IPAddress",
            ),
            Request::Hostname(None) => assigned_hostname(self.hostnames.remove(0)),
        }
    }

    /// An address of a pool.
    fn granted(&self, index: usize, routability: &str) -> AddressOutcome {
        match self.allocation.grant(self.claimant.key, index) {
            Some(Grant::Address(address)) => assigned_ip(*address, routability),
            Some(Grant::Unusable(message)) => refused(
                true,
                message,
                "ask for an address that an AddressPool has for this Gateway, or for none",
            ),
            Some(Grant::None(message)) => {
                refused(false, message, "add addresses to the pool, or delete Gateways that need none")
            }
            None => self.awaited(),
        }
    }

    fn cluster_ip(&mut self, value: Option<IpAddr>, routability: &str) -> AddressOutcome {
        if let Some(address) = take(&mut self.cluster_ips, value) {
            return assigned_ip(address, routability);
        }
        let service = &self.claimant.service_key;
        let refusal = value.and_then(|it| Some((it, self.claimant.refusal_of(it)?)));
        if let Some((value, message)) = refusal {
            return refused(
                true,
                &format!("the Service {service} cannot have {value}: {message}"),
                "ask for a ClusterIP that is free, or leave out `value`",
            );
        }
        match (value, self.claimant.service) {
            (Some(value), None) if self.decision.service.cluster_ip.is_none() => {
                self.decision.service.cluster_ip = Some(value);
                self.awaited()
            }
            (None, None) => self.awaited(),
            (Some(value), _) => refused(
                true,
                &format!(
                    "{value} is not a ClusterIP of the Service {service}, which keeps those that it has"
                ),
                "leave out `value`, or delete the Service",
            ),
            (None, Some(_)) => refused(
                false,
                &format!("the Service {service} has no further ClusterIP"),
                "ask for fewer, or for a dual-stack Service by PortwayParameters",
            ),
        }
    }

    /// An address of a load balancer that is not Portway's.
    fn of_cloud(&mut self, value: Option<IpAddr>, routability: &str) -> AddressOutcome {
        let had = self.ips.clone();
        if let Some(address) = take(&mut self.ips, value) {
            return assigned_ip(address, routability);
        }
        let Some(value) = value else { return self.awaited() };
        self.decision.service.load_balancer_ip.get_or_insert(value);
        if self.decision.service.load_balancer_ip != Some(value) {
            let message =
                format!("the load balancer can be asked for one address, so {value} is not to be had");
            return refused(true, &message, "ask for one address, or create an AddressPool that has them");
        }
        if had.is_empty() {
            return self.awaited();
        }
        let had: Vec<_> = had.iter().map(ToString::to_string).collect();
        let message = format!("the load balancer has given {} in place of {value}", had.join(", "));
        refused(true, &message, "ask for what it can give, or create an AddressPool that has the address")
    }

    /// Who is waited for.
    fn awaited(&self) -> AddressOutcome {
        let service = &self.claimant.service_key;
        let whom = if self.claimant.service.is_none() {
            format!("the Service {service} is not there yet")
        } else if self.is_balanced() {
            let class = self.decision.service.load_balancer_class.as_deref();
            let class = class.map(|it| format!(" of class {it}")).unwrap_or_default();
            format!(
                "no load balancer{class} has given one to the Service {service}; without one in the cluster, create an AddressPool"
            )
        } else {
            format!("no proxy of the Service {service} is ready")
        };
        AddressOutcome::Awaited(whom)
    }
}

/// Takes the address that is asked for, or the first.
fn take(from: &mut Vec<IpAddr>, value: Option<IpAddr>) -> Option<IpAddr> {
    let index = match value {
        Some(value) => from.iter().position(|it| *it == value)?,
        None => 0,
    };
    (index < from.len()).then(|| from.remove(index))
}

fn assigned_ip(address: IpAddr, routability: &str) -> AddressOutcome {
    AddressOutcome::Assigned(GatewayStatusAddress {
        kind: Some(IP_ADDRESS.to_owned()),
        value: address.to_string(),
        routability: Some(routability.to_owned()),
    })
}

fn assigned_hostname(name: &str) -> AddressOutcome {
    AddressOutcome::Assigned(GatewayStatusAddress {
        kind: Some(HOSTNAME_ADDRESS.to_owned()),
        value: name.to_owned(),
        routability: Some(String::new()),
    })
}

fn refused(is_unusable: bool, message: &str, help: &str) -> AddressOutcome {
    AddressOutcome::Refused { is_unusable, message: message.to_owned(), help: help.to_owned() }
}
