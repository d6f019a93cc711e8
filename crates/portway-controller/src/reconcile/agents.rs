//! What node agents are told: the listeners of all Gateways as one configuration, with their addresses, and what is behind
//! them: endpoints for those that a kernel can serve by itself, the Gateway's proxies for all; and what network policies are
//! decided by. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use portway_api::{ObjectKey, Snapshot};
use portway_config::backend::{Endpoint, EndpointAddress, EndpointState, Endpoints};
use portway_config::network_policy::{PolicyFacts, PolicyNamespace};
use portway_config::{
    Configuration, EndpointsKey, Exposure, Listener, ListenerProtocol, NamespacedName, Route, RouteKind,
    Transport, node_agents, nodes_with_agents,
};
use portway_translate::backend::EndpointsIndex;
use portway_translate::parameters;

use super::data_plane::key;
use crate::provision::proxies;
use crate::watch::policy::{AllObjects, texts};

/// What is known of Gateways and Services beside the configurations.
pub(crate) struct Surroundings<'a> {
    /// The addresses of a Gateway by which clients find it, and that packets have when they reach a node.
    pub(crate) addresses: &'a dyn Fn(&NamespacedName) -> Vec<IpAddr>,
    /// The Service in front of a Gateway's proxies, where there is one.
    pub(crate) service: &'a dyn Fn(&NamespacedName) -> Option<NamespacedName>,
    /// Endpoints, with the nodes that they are on.
    pub(crate) endpoints: &'a dyn Fn(&EndpointsKey) -> Endpoints,
}

/// The listeners that agents bring packets from: to endpoints, with all that is behind them, or to proxies.
pub(crate) fn configuration(
    configurations: &BTreeMap<NamespacedName, Arc<Configuration>>,
    nodes: Endpoints,
    around: &Surroundings<'_>,
) -> Configuration {
    let mut merged = Configuration::empty(node_agents());
    merged.endpoints.insert(nodes.key.clone(), Arc::new(nodes));
    for (gateway, configuration) in configurations {
        let mut addresses = (around.addresses)(gateway);
        addresses.sort_unstable();
        if addresses.is_empty() {
            continue;
        }
        let service = (around.service)(gateway);
        for (key, listener) in &configuration.listeners {
            let proxies = service.clone().map(|service| proxies_of(service, listener));
            if let Some(proxies) = proxies.as_ref().filter(|it| !merged.endpoints.contains_key(it)) {
                let endpoints = (around.endpoints)(proxies);
                merged.endpoints.insert(proxies.clone(), Arc::new(endpoints));
            }
            let (gateway, addresses) = (gateway.clone(), addresses.clone());
            let exposure = Exposure { listener: key.clone(), gateway, addresses, proxies };
            merged.exposures.insert(key.clone(), Arc::new(exposure));
            merged.listeners.insert(key.clone(), without_filters(listener));
        }
        add_routes(&mut merged, configuration, around);
    }
    merged
}

/// The part of network policy that comes with a translation: namespaces, and the proxies of the Gateways that are served.
pub(crate) fn policy_facts<'a>(
    snapshot: &Snapshot,
    gateways: impl Iterator<Item = &'a NamespacedName>,
    AllObjects { pods, policies, cluster_policies }: AllObjects<'_>,
) -> PolicyFacts {
    let namespaces = snapshot.namespaces.iter().map(|(name, it)| {
        let name: Arc<str> = name.as_str().into();
        let labels = it.metadata.labels.iter().flatten();
        (name.clone(), Arc::new(PolicyNamespace { name, labels: texts(labels) }))
    });
    let proxies = gateways.filter_map(|name| {
        let gateway = snapshot.gateways.get(&key(name))?;
        let proxies = proxies(gateway, &parameters::merged(snapshot, gateway))?;
        Some((name.clone(), Arc::new(proxies)))
    });
    PolicyFacts {
        namespaces: namespaces.collect(),
        pods: pods.clone(),
        policies: policies.clone(),
        cluster_policies: cluster_policies.clone(),
        proxies: proxies.collect(),
    }
}

/// Where the proxies of a Gateway listen for a listener: the Service has its number as port.
fn proxies_of(service: NamespacedName, listener: &Listener) -> EndpointsKey {
    let is_udp = listener.protocol == ListenerProtocol::Udp;
    EndpointsKey {
        service,
        port: listener.port,
        transport: if is_udp { Transport::Udp } else { Transport::Tcp },
    }
}

/// What proxies do with requests is no matter.
fn without_filters(listener: &Arc<Listener>) -> Arc<Listener> {
    if listener.filters.is_empty() {
        return Arc::clone(listener);
    }
    Arc::new(Listener { filters: Vec::new(), ..(**listener).clone() })
}

/// Adds the routes that a kernel could serve, with all that is behind them.
fn add_routes(merged: &mut Configuration, configuration: &Configuration, around: &Surroundings<'_>) {
    let routes = configuration.routes.iter();
    for (key, route) in routes.filter(|(key, _)| matches!(key.kind, RouteKind::Tcp | RouteKind::Udp)) {
        let route = match merged.routes.get(key) {
            Some(elsewhere) => Arc::new(attached_to_both(elsewhere, route)),
            None => Arc::clone(route),
        };
        merged.routes.insert(key.clone(), Arc::clone(&route));
        route.rules.each_backend(&mut |backend| {
            if let Some(it) = configuration.backends.get(backend) {
                merged.backends.insert(backend.clone(), Arc::clone(it));
            }
            if !merged.endpoints.contains_key(&backend.endpoints) {
                let endpoints = (around.endpoints)(&backend.endpoints);
                merged.endpoints.insert(backend.endpoints.clone(), Arc::new(endpoints));
            }
        });
    }
}

/// The nodes that have an agent: those of the agents' Service, whose pods have the addresses of their nodes. An agent that is
/// not ready counts: what it has put into the kernel serves on.
pub(crate) fn nodes(index: &EndpointsIndex, service: &ObjectKey) -> Endpoints {
    let mut endpoints = Vec::new();
    for endpoint in index.slices(service).flat_map(|it| it.endpoints.iter().flatten()) {
        let is_ready = endpoint.conditions.as_ref().and_then(|it| it.ready) != Some(false);
        let state = if is_ready { EndpointState::Ready } else { EndpointState::Terminating };
        let node: Option<Arc<str>> = endpoint.node_name.as_deref().map(Arc::from);
        let addresses = endpoint.addresses.iter().filter_map(|it| it.parse().ok());
        endpoints.extend(addresses.map(|it: IpAddr| Endpoint {
            address: EndpointAddress::Socket(SocketAddr::new(it, 0)),
            state,
            node: node.clone(),
        }));
    }
    endpoints.sort();
    endpoints.dedup_by(|later, earlier| later.address == earlier.address);
    Endpoints { key: nodes_with_agents(), endpoints }
}

/// The agents that are ready: of each pod the node.
pub(crate) fn ready(index: &EndpointsIndex, service: &ObjectKey) -> BTreeMap<String, String> {
    let endpoints = index.slices(service).flat_map(|it| it.endpoints.iter().flatten());
    let ready = endpoints.filter(|it| it.conditions.as_ref().and_then(|it| it.ready) != Some(false));
    ready
        .filter_map(|it| {
            let pod = it.target_ref.as_ref()?.name.clone()?;
            let node = it.node_name.clone().unwrap_or_else(|| pod.clone());
            Some((pod, node))
        })
        .collect()
}

/// One route has the same rules wherever it is attached.
fn attached_to_both(one: &Route, other: &Route) -> Route {
    let attachments = one.attachments.iter().chain(&other.attachments).cloned().collect();
    Route { attachments, ..other.clone() }
}

#[cfg(test)]
mod tests {
    use portway_api::Object;
    use portway_config::backend::BackendTls;
    use portway_config::key::BackendProtocol;
    use portway_config::route::{BackendTarget, L4Rule, Rules, WeightedBackend};
    use portway_config::{
        Attachment, Backend, BackendKey, HostnamePattern, ListenerKey, ListenerParent, RouteKey,
    };

    use serde_json::json;

    use super::*;
    use crate::watch::policy::PolicyObjects;

    fn gateway(name: &str) -> (NamespacedName, Arc<Configuration>) {
        let gateway = NamespacedName::new("apps", name);
        let mut configuration = Configuration::empty(gateway.clone());
        for (port, protocol) in [(53, ListenerProtocol::Udp), (80, ListenerProtocol::Http)] {
            let name = port.to_string().into();
            let key = ListenerKey { parent: ListenerParent::Gateway(gateway.clone()), name };
            let hostname = HostnamePattern::Any;
            let listener = Listener { key: key.clone(), port, hostname, protocol, filters: Vec::new() };
            configuration.listeners.insert(key, Arc::new(listener));
        }
        let endpoints =
            EndpointsKey { service: NamespacedName::new("apps", "dns"), port: 53, transport: Transport::Udp };
        let backend = BackendKey { endpoints, protocol: BackendProtocol::Udp };
        let value = Backend { key: backend.clone(), tls: BackendTls::Plain };
        configuration.backends.insert(backend.clone(), Arc::new(value));
        let target = BackendTarget::Backend(backend);
        let backends = vec![WeightedBackend { index: 0, weight: 1, target, filters: Vec::new() }];
        let listener = configuration.listeners.keys().next().unwrap().clone();
        let key = RouteKey { kind: RouteKind::Udp, name: NamespacedName::new("apps", "dns") };
        let route = Route {
            key: key.clone(),
            created: None,
            hostnames: Vec::new(),
            attachments: vec![Attachment { listener, hostnames: vec![HostnamePattern::Any] }],
            rules: Rules::L4(vec![L4Rule { index: 0, name: None, backends }]),
        };
        configuration.routes.insert(key, Arc::new(route));
        (gateway, Arc::new(configuration))
    }

    fn endpoints(key: &EndpointsKey) -> Endpoints {
        let address = EndpointAddress::Socket(SocketAddr::from(([10, 0, 0, 1], key.port)));
        let endpoint = Endpoint { address, state: EndpointState::Ready, node: Some("a".into()) };
        Endpoints { key: key.clone(), endpoints: vec![endpoint] }
    }

    fn merged(configurations: &BTreeMap<NamespacedName, Arc<Configuration>>) -> Configuration {
        let addresses = |gateway: &NamespacedName| match &*gateway.name {
            "a" => vec!["192.0.2.1".parse().unwrap()],
            "b" => vec!["2001:db8::1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
            _ => Vec::new(),
        };
        let service = |gateway: &NamespacedName| {
            (&*gateway.name == "a").then(|| NamespacedName::new("apps", "a-portway"))
        };
        let around = Surroundings { addresses: &addresses, service: &service, endpoints: &endpoints };
        configuration(configurations, endpoints(&nodes_with_agents()), &around)
    }

    #[test]
    fn the_listeners_of_all_gateways_are_in_one() {
        let merged = merged(&[gateway("a"), gateway("b"), gateway("without-address")].into());
        assert_eq!((merged.listeners.len(), merged.routes.len()), (4, 1));
        assert_eq!(merged.backends.len(), 1);
        assert_eq!(merged.routes.values().next().unwrap().attachments.len(), 2);
        let exposures: Vec<_> =
            merged.exposures.values().map(|it| (&*it.gateway.name, it.addresses.len())).collect();
        assert_eq!(exposures, [("a", 1), ("a", 1), ("b", 2), ("b", 2)]);
        let told: Vec<_> = merged.endpoints.keys().map(ToString::to_string).collect();
        assert_eq!(told, ["/node-agents:0", "apps/a-portway:53/UDP", "apps/a-portway:80", "apps/dns:53/UDP"]);
        assert!(merged.endpoints.values().flat_map(|it| &it.endpoints).all(|it| it.node.is_some()));
    }

    #[test]
    fn proxies_are_named_where_there_is_a_service_for_them() {
        let merged = merged(&[gateway("a"), gateway("b")].into());
        let proxies: Vec<_> = merged.exposures.values().map(|it| it.proxies.clone()).collect();
        assert!(proxies[..2].iter().all(Option::is_some) && proxies[2..].iter().all(Option::is_none));
    }

    #[test]
    fn nodes_are_those_of_the_agents_pods() {
        let slice = json!({
            "metadata": {"namespace": "system", "name": "s", "labels": {"kubernetes.io/service-name": "agent"}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["192.0.2.2"], "nodeName": "b", "conditions": {"ready": false},
                 "targetRef": {"kind": "Pod", "name": "agent-2"}},
                {"addresses": ["192.0.2.1"], "nodeName": "a", "conditions": {"ready": true},
                 "targetRef": {"kind": "Pod", "name": "agent-1"}},
            ],
        });
        let mut snapshot = Snapshot::default();
        snapshot.insert(Object::EndpointSlice(Arc::new(serde_json::from_value(slice).unwrap())));
        let index = EndpointsIndex::new(&snapshot);
        let service = ObjectKey::new("system", "agent");
        let told: Vec<_> = nodes(&index, &service)
            .endpoints
            .iter()
            .map(|it| format!("{} {} {:?}", it.address, it.node.as_deref().unwrap_or_default(), it.state))
            .collect();
        assert_eq!(told, ["192.0.2.1:0 a Ready", "192.0.2.2:0 b Terminating"]);
        assert_eq!(ready(&index, &service), [("agent-1".to_owned(), "a".to_owned())].into());
    }

    #[test]
    fn proxies_are_told_by_the_labels_that_their_pods_are_made_with() {
        fn object<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
            serde_json::from_value(value).unwrap()
        }
        let mut snapshot = Snapshot::default();
        snapshot.insert(Object::Gateway(object(json!({
            "metadata": {"namespace": "apps", "name": "a"},
            "spec": {"gatewayClassName": "portway", "listeners": [], "infrastructure": {"labels": {"team": "x"}}},
        }))));
        snapshot.insert(Object::Namespace(object(
            json!({"metadata": {"name": "apps", "labels": {"env": "prod"}}}),
        )));
        let gateway = NamespacedName::new("apps", "a");
        let objects = PolicyObjects::default().listed();
        let facts = policy_facts(&snapshot, [&gateway].into_iter(), objects.all().unwrap());
        let labels = &facts.proxies[&gateway].labels;
        assert_eq!(labels.get("team").map(|it| &**it), Some("x"));
        assert_eq!(labels.get("gateway.networking.k8s.io/gateway-name").map(|it| &**it), Some("a"));
        assert_eq!(facts.namespaces["apps"].labels.get("env").map(|it| &**it), Some("prod"));
        assert_eq!(facts.namespaces.len(), 1);
    }
}
