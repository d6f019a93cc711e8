//! What the node agents have made of what they were told, in the conditions of the listeners that they take packets for. Pure.
//!
//! A TCP or UDP listener is programmed once the maps of every node whose agent is ready hold it. Where an agent leaves a listener
//! to the node's own network stack, the Gateway's proxies serve it all the same: the condition tells why.

use std::collections::BTreeMap;

use portway_config::{ListenerKey, ListenerProtocol, NamespacedName};
use portway_translate::reason::Reason;
use portway_xds::ResourceKey;
use portway_xds::publisher::GatewayAcknowledgements;

use super::data_plane::Telling;
use super::translation::ToldAgents;

/// Nodes that a message names at most.
const NODES_NAMED: usize = 5;

/// Where the agents stand.
pub(crate) struct AgentsStanding {
    told: ToldAgents,
    /// How many are ready.
    ready: usize,
    /// Of those, the nodes whose agents have not answered to what they were told last.
    behind: Vec<String>,
    /// Why agents leave a listener to the stacks of their nodes, and which nodes those are.
    left: BTreeMap<ListenerKey, BTreeMap<String, Vec<String>>>,
}

impl AgentsStanding {
    /// `ready`: of the pods of agents that are ready, their nodes.
    pub(crate) fn new(
        told: ToldAgents,
        ready: &BTreeMap<String, String>,
        acknowledged: Option<&GatewayAcknowledgements>,
    ) -> Self {
        let (mut behind, mut left) = (Vec::new(), BTreeMap::<_, BTreeMap<_, Vec<_>>>::new());
        for (pod, node) in ready {
            let agent = acknowledged.and_then(|it| it.proxies.get(pod.as_str()));
            if !agent.is_some_and(|it| it.has_reached(told.revision)) {
                behind.push(node.clone());
            }
            for (resource, refused) in agent.into_iter().flat_map(|it| &it.refused) {
                if let ResourceKey::Exposure(listener) | ResourceKey::Listener(listener) = resource {
                    let reasons = left.entry(listener.clone()).or_default();
                    reasons.entry(refused.message.clone()).or_default().push(node.clone());
                }
            }
        }
        Self { told, ready: ready.len(), behind, left }
    }

    /// Whether a listener of a Gateway waits for an agent.
    pub(crate) fn are_behind(&self, gateway: &NamespacedName) -> bool {
        !self.behind.is_empty() && self.streams(gateway).next().is_some()
    }

    /// Tells of the listeners of one Gateway.
    pub(crate) fn tell(&self, telling: &mut Telling<'_>) {
        let gateway = telling.configuration.gateway.clone();
        if !self.behind.is_empty() {
            let message = format!(
                "{} of {} node agents have not taken the newest configuration yet: on {}.",
                self.behind.len(),
                self.ready,
                listed(&self.behind)
            );
            self.streams(&gateway).for_each(|it| telling.fail_listener(it, Reason::Pending, &message));
        }
        let of_gateway = self.told.configuration.exposures.values().filter(|it| it.gateway == gateway);
        for exposure in of_gateway {
            for (why, nodes) in self.left.get(&exposure.listener).into_iter().flatten() {
                let message = format!("Not by the kernel of {}: {why}.", listed(nodes));
                telling.add_to_listener(&exposure.listener, &message);
            }
        }
    }

    /// The TCP and UDP listeners of a Gateway that agents are told of.
    fn streams<'a>(&'a self, gateway: &'a NamespacedName) -> impl Iterator<Item = &'a ListenerKey> {
        let configuration = &self.told.configuration;
        let of_gateway = configuration.exposures.values().filter(move |it| it.gateway == *gateway);
        let is_stream = |key: &&ListenerKey| {
            let protocol = configuration.listeners.get(key).map(|it| &it.protocol);
            matches!(protocol, Some(ListenerProtocol::Tcp | ListenerProtocol::Udp))
        };
        of_gateway.map(|it| &it.listener).filter(is_stream)
    }
}

fn listed(nodes: &[String]) -> String {
    let named = nodes.iter().take(NODES_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match nodes.len().checked_sub(NODES_NAMED) {
        Some(more @ 1..) => format!("{named} and {more} more"),
        _ => named,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use portway_api::ObjectKey;
    use portway_api::core::{Condition, Time};
    use portway_api::gateway::GatewayStatus;
    use portway_api::listener::ListenerStatus;
    use portway_config::{Configuration, Exposure, HostnamePattern, Listener, ListenerParent, Revision};
    use portway_translate::Statuses;
    use portway_xds::publisher::{ProxyAcknowledgement, RefusedResource};

    use super::*;

    fn gateway() -> NamespacedName {
        NamespacedName::new("apps", "edge")
    }

    fn listener(name: &str) -> ListenerKey {
        ListenerKey { parent: ListenerParent::Gateway(gateway()), name: name.into() }
    }

    /// Agents are told of a TCP and an HTTP listener.
    fn told() -> ToldAgents {
        let mut configuration = Configuration::empty(gateway());
        for (name, protocol) in [("stream", ListenerProtocol::Tcp), ("web", ListenerProtocol::Http)] {
            let key = listener(name);
            let hostname = HostnamePattern::Any;
            let value = Listener { key: key.clone(), port: 80, hostname, protocol, filters: Vec::new() };
            configuration.listeners.insert(key.clone(), Arc::new(value));
            let exposure =
                Exposure { listener: key.clone(), gateway: gateway(), addresses: Vec::new(), proxies: None };
            configuration.exposures.insert(key, Arc::new(exposure));
        }
        ToldAgents { configuration: Arc::new(configuration), revision: Revision(7) }
    }

    fn agent(acknowledged: u64, refused: &[(&str, &str)]) -> ProxyAcknowledgement {
        let since = Timestamp::UNIX_EPOCH;
        let refused = refused.iter().map(|(name, message)| {
            let why = RefusedResource { message: (*message).to_owned(), since };
            (ResourceKey::Exposure(listener(name)), why)
        });
        let acknowledged = Some((Revision(acknowledged), since));
        ProxyAcknowledgement { connected: since, sent: None, acknowledged, refused: refused.collect() }
    }

    /// Condition and message of both listeners, where agents on the nodes a, b, … have said this, and all are ready.
    fn conditions(agents: Vec<Option<ProxyAcknowledgement>>) -> (bool, Vec<(String, String)>) {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let ready = names.iter().zip(&agents).map(|(node, _)| (format!("agent-{node}"), (*node).to_owned()));
        let ready: BTreeMap<_, _> = ready.collect();
        let said = ready.keys().zip(agents).filter_map(|(pod, it)| Some((pod.as_str().into(), it?)));
        let acknowledged = GatewayAcknowledgements { revision: None, proxies: said.collect() };
        let standing = AgentsStanding::new(told(), &ready, Some(&acknowledged));
        let condition = |_: &str| Condition {
            type_: "Programmed".to_owned(),
            status: "True".to_owned(),
            reason: "Programmed".to_owned(),
            message: "It is served.".to_owned(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        };
        let of = |name: &str| ListenerStatus {
            name: name.to_owned(),
            conditions: vec![condition(name)],
            ..ListenerStatus::default()
        };
        let status = GatewayStatus { listeners: vec![of("stream"), of("web")], ..GatewayStatus::default() };
        let mut statuses = Statuses::default();
        statuses.gateways.insert(ObjectKey::new("apps", "edge"), status);
        let configuration = Configuration::empty(gateway());
        let now = Timestamp::UNIX_EPOCH;
        standing.tell(&mut Telling {
            statuses: &mut statuses,
            configuration: &configuration,
            acknowledgements: None,
            now,
        });
        let told = statuses.gateways.values().flat_map(|it| &it.listeners).flat_map(|it| &it.conditions);
        let told = told.map(|it| (it.status.clone(), it.message.clone())).collect();
        (standing.are_behind(&gateway()), told)
    }

    fn served() -> (String, String) {
        ("True".to_owned(), "It is served.".to_owned())
    }

    #[test]
    fn all_that_are_ready_have_answered() {
        let (are_behind, told) = conditions(vec![Some(agent(7, &[])), Some(agent(8, &[]))]);
        assert_eq!((are_behind, told), (false, vec![served(), served()]));
        assert_eq!(conditions(Vec::new()), (false, vec![served(), served()]), "none is ready");
    }

    #[test]
    fn streams_wait_for_every_node() {
        let (are_behind, told) = conditions(vec![Some(agent(7, &[])), Some(agent(6, &[])), None]);
        let message = "2 of 3 node agents have not taken the newest configuration yet: on b, c.";
        assert!(are_behind);
        assert_eq!(told, [("False".to_owned(), message.to_owned()), served()], "HTTP goes by the proxies");
        let (_, told) = conditions(vec![None; 7]);
        assert!(told[0].1.ends_with("on a, b, c, d, e and 2 more."), "{told:?}");
    }

    #[test]
    fn what_an_agent_leaves_to_the_node_is_told() {
        let refused = [("stream", "it is too old")];
        let (are_behind, told) =
            conditions(vec![Some(agent(7, &[])), Some(agent(7, &refused)), Some(agent(7, &refused))]);
        let message = "It is served. Not by the kernel of b, c: it is too old.";
        assert_eq!((are_behind, told), (false, vec![("True".to_owned(), message.to_owned()), served()]));
    }
}
