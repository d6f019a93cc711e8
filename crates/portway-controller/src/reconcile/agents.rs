//! What node agents are told: the TCP and UDP listeners of all Gateways as one configuration, with their addresses, and what network
//! policies are decided by. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use portway_api::Snapshot;
use portway_config::network_policy::{PolicyFacts, PolicyNamespace};
use portway_config::{
    Configuration, Exposure, ListenerProtocol, NamespacedName, Route, RouteKind, node_agents,
};
use portway_translate::parameters;

use super::data_plane::key;
use crate::provision::proxies;
use crate::watch::policy::{Pods, Policies, texts};

/// The listeners that a kernel could serve, with all that is behind them. `addresses`: those of a Gateway by which clients
/// find it, and that packets have when they reach a node.
pub(crate) fn configuration(
    configurations: &BTreeMap<NamespacedName, Arc<Configuration>>,
    addresses: impl Fn(&NamespacedName) -> Vec<IpAddr>,
) -> Configuration {
    let mut merged = Configuration::empty(node_agents());
    for (gateway, configuration) in configurations {
        let mut addresses = addresses(gateway);
        addresses.sort_unstable();
        if addresses.is_empty() {
            continue;
        }
        let listeners = configuration.listeners.iter();
        let streams =
            listeners.filter(|(_, it)| matches!(it.protocol, ListenerProtocol::Tcp | ListenerProtocol::Udp));
        for (key, listener) in streams {
            merged.listeners.insert(key.clone(), Arc::clone(listener));
            let exposure =
                Exposure { listener: key.clone(), gateway: gateway.clone(), addresses: addresses.clone() };
            merged.exposures.insert(key.clone(), Arc::new(exposure));
        }
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
                if let Some(it) = configuration.endpoints.get(&backend.endpoints) {
                    merged.endpoints.insert(backend.endpoints.clone(), Arc::clone(it));
                }
            });
        }
    }
    merged
}

/// The part of network policy that comes with a translation: namespaces, and the proxies of the Gateways that are served.
pub(crate) fn policy_facts<'a>(
    snapshot: &Snapshot,
    gateways: impl Iterator<Item = &'a NamespacedName>,
    (pods, policies): (&Pods, &Policies),
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
        proxies: proxies.collect(),
    }
}

/// One route has the same rules wherever it is attached.
fn attached_to_both(one: &Route, other: &Route) -> Route {
    let attachments = one.attachments.iter().chain(&other.attachments).cloned().collect();
    Route { attachments, ..other.clone() }
}

#[cfg(test)]
mod tests {
    use portway_api::Object;
    use portway_config::backend::{BackendTls, EndpointAddress, EndpointState};
    use portway_config::key::BackendProtocol;
    use portway_config::route::{BackendTarget, L4Rule, Rules, WeightedBackend};
    use portway_config::{
        Attachment, Backend, BackendKey, Endpoint, Endpoints, EndpointsKey, HostnamePattern, Listener,
        ListenerKey, ListenerParent, RouteKey, Transport,
    };

    use serde_json::json;

    use super::*;

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
        let backend = BackendKey { endpoints: endpoints.clone(), protocol: BackendProtocol::Udp };
        let address = EndpointAddress::Socket("10.0.0.1:53".parse().unwrap());
        let endpoint = Endpoint { address, state: EndpointState::Ready };
        let value = Endpoints { key: endpoints.clone(), endpoints: vec![endpoint] };
        configuration.endpoints.insert(endpoints, Arc::new(value));
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

    #[test]
    fn the_streams_of_all_gateways_are_in_one() {
        let configurations = [gateway("a"), gateway("b"), gateway("without-address")].into();
        let merged = configuration(&configurations, |gateway| match &*gateway.name {
            "a" => vec!["192.0.2.1".parse().unwrap()],
            "b" => vec!["2001:db8::1".parse().unwrap(), "192.0.2.2".parse().unwrap()],
            _ => Vec::new(),
        });
        assert_eq!((merged.listeners.len(), merged.routes.len()), (2, 1), "UDP alone");
        assert_eq!((merged.backends.len(), merged.endpoints.len()), (1, 1));
        assert_eq!(merged.routes.values().next().unwrap().attachments.len(), 2);
        let exposures: Vec<_> =
            merged.exposures.values().map(|it| (&*it.gateway.name, it.addresses.len())).collect();
        assert_eq!(exposures, [("a", 1), ("b", 2)]);
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
        let (pods, policies) = (Pods::new(), Policies::new());
        let facts = policy_facts(&snapshot, [&gateway].into_iter(), (&pods, &policies));
        let labels = &facts.proxies[&gateway].labels;
        assert_eq!(labels.get("team").map(|it| &**it), Some("x"));
        assert_eq!(labels.get("gateway.networking.k8s.io/gateway-name").map(|it| &**it), Some("a"));
        assert_eq!(facts.namespaces["apps"].labels.get("env").map(|it| &**it), Some("prod"));
        assert_eq!(facts.namespaces.len(), 1);
    }
}
