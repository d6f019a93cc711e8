//! The nodes of a cluster, as one of them sees the others. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

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

/// When each node was last told to have an agent, by a clock that never goes back.
///
/// An agent that is replaced is gone for a moment, and its programs serve on. Were its node taken out meanwhile, connections to
/// its pods would begin by another way than they go on by when their address moves.
#[derive(Clone, Debug, Default)]
pub(super) struct LastTold(BTreeMap<Arc<str>, (Vec<IpAddr>, Duration)>);

impl LastTold {
    /// Adds the nodes that were told less than `kept` before `now`.
    pub(super) fn complete(&mut self, nodes: &mut Nodes, now: Duration, kept: Duration) {
        for (name, addresses) in &nodes.others {
            self.0.insert(Arc::clone(name), (addresses.clone(), now));
        }
        self.0.retain(|_, (_, told)| now.saturating_sub(*told) < kept);
        for (name, (addresses, _)) in &self.0 {
            nodes.others.entry(Arc::clone(name)).or_insert_with(|| addresses.clone());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_whose_agent_is_gone_stays_for_a_while() {
        let node = |name: &str, address: &str| (Arc::from(name), vec![address.parse().unwrap()]);
        let both = || Nodes { others: [node("a", "192.0.2.1"), node("b", "192.0.2.2")].into(), own: None };
        let seconds = Duration::from_secs;
        let mut last_told = LastTold::default();
        let mut complete = |mut nodes: Nodes, now| {
            last_told.complete(&mut nodes, seconds(now), seconds(10));
            nodes.others.keys().map(ToString::to_string).collect::<String>()
        };
        assert_eq!(complete(both(), 0), "ab");
        let without_b = || Nodes { others: [node("a", "192.0.2.1")].into(), own: None };
        assert_eq!(complete(without_b(), 9), "ab");
        assert_eq!(complete(without_b(), 10), "a");
        assert_eq!(complete(both(), 11), "ab");
        assert_eq!(complete(Nodes::default(), 20), "ab", "since it was told last");
    }

    #[test]
    fn a_node_that_has_another_address_has_the_new_one_alone() {
        let told = |address: &str| Nodes {
            others: [(Arc::from("a"), vec![address.parse().unwrap()])].into(),
            own: None,
        };
        let mut last_told = LastTold::default();
        for address in ["192.0.2.1", "192.0.2.2"] {
            let mut nodes = told(address);
            last_told.complete(&mut nodes, Duration::ZERO, Duration::from_secs(1));
            assert_eq!(nodes, told(address));
        }
    }
}
