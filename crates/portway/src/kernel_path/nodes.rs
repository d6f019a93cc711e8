//! The nodes of a cluster, as one of them sees the others. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use portway_config::backend::EndpointAddress;
use portway_config::{Configuration, nodes_with_agents};

use super::machine::Machine;
use super::path::Hidden;

/// The nodes that have an agent, by name. Outside of a cluster there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Nodes {
    others: BTreeMap<Arc<str>, Vec<IpAddr>>,
    /// The name of this one.
    own: Option<Arc<str>>,
}

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this node, as far as anything is known.
    Here,
    /// On another, to which packets can be left: at this address.
    Neighbour(IpAddr),
    /// On another that must send its replies back here.
    Elsewhere(Hidden),
}

impl Nodes {
    /// As the configuration of node agents tells them; `own` is the address of this one.
    pub(super) fn of(configuration: &Configuration, own: IpAddr) -> Self {
        let mut nodes = Self::default();
        let told = configuration.endpoints.get(&nodes_with_agents());
        for endpoint in told.iter().flat_map(|it| &it.endpoints) {
            let (EndpointAddress::Socket(address), Some(name)) = (&endpoint.address, &endpoint.node) else {
                continue;
            };
            if address.ip() == own {
                nodes.own = Some(Arc::clone(name));
            }
            nodes.others.entry(Arc::clone(name)).or_default().push(address.ip());
        }
        if let Some(own) = &nodes.own {
            nodes.others.remove(own);
        }
        nodes
    }

    /// The addresses of the others.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.others.values().flatten().copied()
    }

    /// Where an endpoint is whose node has this name. Packets can be left to a node only if nobody is in between: a router would
    /// take them for packets to the Gateway like all others.
    pub(super) fn place(&self, node: Option<&Arc<str>>, family_of: IpAddr, machine: &Machine) -> Place {
        let Some(node) = node else {
            return Place::Here;
        };
        if self.own.as_ref() == Some(node) {
            return Place::Here;
        }
        let Some(addresses) = self.others.get(node) else {
            return Place::Elsewhere(Hidden::NoAgent(Arc::clone(node)));
        };
        let is_on_link = |it: &&IpAddr| {
            let route = machine.routes.get(it).filter(|route| route.is_neighbour && !route.is_local);
            route.is_some_and(|route| machine.interfaces.contains_key(&route.interface))
        };
        let of_family = addresses.iter().filter(|it| it.is_ipv4() == family_of.is_ipv4());
        match of_family.clone().find(is_on_link) {
            Some(address) => Place::Neighbour(*address),
            None => Place::Elsewhere(Hidden::NotOnLink(Arc::clone(node))),
        }
    }
}
