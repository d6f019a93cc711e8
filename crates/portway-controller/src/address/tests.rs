//! Decisions on addresses: by example, and by properties of any number of Gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::core::{EndpointSlice, Service};
use portway_api::{AddressPool, Gateway, GatewayClass, ObjectKey, PortwayParameters, Snapshot};
use portway_translate::{AddressOutcome, Controllers};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::provision::naming;

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// A cluster, built up object by object.
#[derive(Clone, Default)]
struct Cluster(Snapshot, Nodes);

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self::default();
        let class: GatewayClass = read(
            json!({"metadata": {"name": "portway"}, "spec": {"controllerName": "portway.dev/gateway-controller"}}),
        );
        cluster.0.gateway_classes.insert("portway".to_owned(), Arc::new(class));
        cluster
    }

    fn pool(mut self, name: &str, spec: Value) -> Self {
        let pool: AddressPool = read(json!({"metadata": {"name": name}, "spec": spec}));
        self.0.address_pools.insert(name.to_owned(), Arc::new(pool));
        self
    }

    fn gateway(mut self, name: &str, ports: &[u16], addresses: Value) -> Self {
        let listeners: Vec<_> =
            ports.iter().map(|it| json!({"name": it.to_string(), "port": it, "protocol": "HTTP"})).collect();
        let gateway: Gateway = read(json!({
            "metadata": {"name": name, "namespace": "infra", "labels": {"zone": name}},
            "spec": {
                "gatewayClassName": "portway", "listeners": listeners, "addresses": addresses,
                "infrastructure": {"parametersRef": {"group": "portway.dev", "kind": "PortwayParameters", "name": name}},
            },
        }));
        self.0.gateways.insert(gateway.key(), Arc::new(gateway));
        self
    }

    fn parameters(mut self, gateway: &str, spec: Value) -> Self {
        let parameters: PortwayParameters =
            read(json!({"metadata": {"name": gateway, "namespace": "infra"}, "spec": spec}));
        self.0.portway_parameters.insert(parameters.key(), Arc::new(parameters));
        self
    }

    fn service(mut self, gateway: &str, spec: Value, ingress: Value) -> Self {
        let name = naming::name(gateway, "portway");
        let service: Service = read(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "infra"},
            "spec": spec, "status": {"loadBalancer": {"ingress": ingress}},
        }));
        self.0.services.insert(ObjectKey::new("infra", name), Arc::new(service));
        self
    }

    fn node(mut self, name: &str, external: &[&str], internal: &[&str]) -> Self {
        let ips = |texts: &[&str]| texts.iter().map(|it| it.parse().unwrap()).collect();
        let addresses = NodeAddresses { external: ips(external), internal: ips(internal) };
        self.1.by_name.insert(name.to_owned(), addresses);
        self
    }

    /// A proxy of a Gateway on a node.
    fn proxy(mut self, gateway: &str, node: &str, ready: bool) -> Self {
        let service = naming::name(gateway, "portway");
        let name = format!("{service}-{node}");
        let slice: EndpointSlice = read(json!({
            "metadata": {"name": name, "namespace": "infra", "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4", "ports": [],
            "endpoints": [{"addresses": ["10.244.0.7"], "nodeName": node, "conditions": {"ready": ready}}],
        }));
        self.0.endpoint_slices.insert(ObjectKey::new("infra", name), Arc::new(slice));
        self
    }

    fn decide(&self) -> BTreeMap<ObjectKey, Decision> {
        self.decide_after(&BTreeMap::new())
    }

    fn decide_after(&self, decided: &BTreeMap<ObjectKey, Decision>) -> BTreeMap<ObjectKey, Decision> {
        self.decide_knowing(Known { decided, refused: &RefusedClusterIps::new(), nodes: &self.1 })
    }

    fn decide_knowing(&self, known: Known<'_>) -> BTreeMap<ObjectKey, Decision> {
        assign(&self.0, &Controllers::Named(["portway.dev/gateway-controller".to_owned()].into()), known)
    }

    fn of(&self, gateway: &str) -> Decision {
        self.decide().remove(&ObjectKey::new("infra", gateway)).unwrap_or_default()
    }

    /// What each entry came to, in short.
    fn told(&self, gateway: &str) -> Vec<String> {
        let short = |outcome: &AddressOutcome| match outcome {
            AddressOutcome::Assigned(it) => {
                format!("{} {}", it.value, it.routability.as_deref().unwrap_or("-")).trim_end().to_owned()
            }
            AddressOutcome::Awaited(whom) => format!("awaited: {whom}"),
            AddressOutcome::Refused { is_unusable, message, .. } => {
                format!("{}: {message}", if *is_unusable { "unusable" } else { "none" })
            }
        };
        self.of(gateway).outcomes.iter().map(short).collect()
    }

    /// The Services as provisioning would have made them by these decisions.
    fn settled(mut self) -> Self {
        for (key, decision) in self.decide() {
            let gateway = Arc::clone(&self.0.gateways[&key]);
            let blocked = &decision.taken_ports;
            let ports = gateway
                .spec
                .listeners
                .iter()
                .filter(|it| !blocked.keys().any(|b| i32::from(b.port) == it.port));
            let ports: Vec<_> = ports.map(|it| json!({"port": it.port})).collect();
            let ingress: Vec<_> =
                decision.service.ingress.iter().flatten().map(|ip| json!({"ip": ip})).collect();
            let spec = json!({
                "type": decision.service.kind.as_str(), "loadBalancerClass": decision.service.load_balancer_class,
                "ports": ports, "ipFamilies": ["IPv4"], "clusterIPs": ["10.96.0.7"],
            });
            self = self.service(gateway.name(), spec, json!(ingress));
        }
        self
    }
}

fn lab() -> Cluster {
    Cluster::new().pool("lab", json!({"addresses": ["192.0.2.8/30"]}))
}

#[test]
fn a_cluster_ip_that_was_refused_is_not_asked_for_again() {
    let (address, key) = ("198.51.100.7".parse().unwrap(), ObjectKey::new("infra", "web"));
    let entries = json!([{"routability": "Cluster", "value": "198.51.100.7"}, {"type": "IPAddress"}]);
    let cluster = lab().gateway("web", &[80], entries);
    assert_eq!(cluster.of("web").service.cluster_ip, Some(address));
    let refused = RefusedClusterIp { address, message: "no such range".to_owned() };
    let known = Known {
        decided: &BTreeMap::new(),
        refused: &[(key.clone(), refused)].into(),
        nodes: &Nodes::default(),
    };
    let decision = cluster.decide_knowing(known).remove(&key).unwrap();
    assert_eq!(decision.service.cluster_ip, None);
    let AddressOutcome::Refused { is_unusable, message, .. } = &decision.outcomes[0] else {
        panic!("{:?}", decision.outcomes);
    };
    assert_eq!(message, "the Service infra/web-portway cannot have 198.51.100.7: no such range");
    assert!(!is_unusable, "the entry is not satisfied, which does not keep the others from being served");
    assert!(matches!(decision.outcomes[1], AddressOutcome::Assigned(_)));
}

#[test]
fn an_address_that_was_decided_on_stays_until_the_service_says_it() {
    let first = lab().gateway("web", &[80], json!([]));
    let before = first.decide();
    // Of two that are new the older one comes first, and of the same age that whose name does.
    let both = first.gateway("api", &[80], json!([]));
    let ingress =
        |name: &str| both.decide_after(&before)[&ObjectKey::new("infra", name)].service.ingress.clone();
    assert_eq!(ingress("web"), before[&ObjectKey::new("infra", "web")].service.ingress);
    assert_ne!(ingress("api"), ingress("web"));
    // What a Service says counts for more: another controller may have decided since.
    let taken = both.service(
        "api",
        json!({"type": "LoadBalancer", "loadBalancerClass": LOAD_BALANCER_CLASS, "ports": [{"port": 80}]}),
        json!([{"ip": "192.0.2.9"}]),
    );
    let after = taken.decide_after(&before);
    assert_eq!(
        after[&ObjectKey::new("infra", "api")].service.ingress,
        Some(vec!["192.0.2.9".parse().unwrap()])
    );
    assert_ne!(
        after[&ObjectKey::new("infra", "web")].service.ingress,
        Some(vec!["192.0.2.9".parse().unwrap()])
    );
}

#[test]
fn a_pool_gives_each_gateway_an_address_of_its_own() {
    let cluster =
        lab().gateway("a", &[80], json!([])).gateway("b", &[80], json!([])).gateway("c", &[80], json!([]));
    let cluster = cluster.parameters("a", json!({})).settled();
    assert_eq!(cluster.told("a"), ["192.0.2.9"]);
    assert_eq!(cluster.told("b"), ["192.0.2.10"]);
    assert_eq!(cluster.told("c"), ["none: the AddressPool lab has no address left"]);
    let service = cluster.of("a").service;
    assert_eq!(service.load_balancer_class.as_deref(), Some(LOAD_BALANCER_CLASS));
    assert_eq!(service.ingress, Some(vec!["192.0.2.9".parse().unwrap_or([0; 4].into())]));
    // One that comes before all others by name changes nothing.
    assert_eq!(cluster.gateway("0", &[80], json!([])).told("a"), ["192.0.2.9"]);
}

/// What the conformance test GatewayStaticAddresses goes through.
#[test]
fn static_addresses() {
    let unsupported = json!([{"type": "test/fake-invalid-type", "value": "x"}, {"value": "198.51.100.7"}, {"value": "192.0.2.10"}]);
    assert_eq!(
        lab().gateway("a", &[80], unsupported).told("a"),
        ["awaited: ", "unusable: no AddressPool has 198.51.100.7", "192.0.2.10"]
    );
    assert_eq!(
        lab().gateway("a", &[80], json!([{"value": "192.0.2.10"}])).settled().told("a"),
        ["192.0.2.10"]
    );
    // Any of this type.
    assert_eq!(
        lab().gateway("a", &[80], json!([{"type": "IPAddress"}, {}])).told("a"),
        ["192.0.2.9", "192.0.2.10"]
    );
}

#[test]
fn gateways_share_an_address_on_different_ports() {
    let asked = json!([{"value": "192.0.2.9"}]);
    let cluster = lab().gateway("a", &[80], asked.clone()).gateway("b", &[8080], asked.clone()).settled();
    assert_eq!(
        (cluster.told("a"), cluster.told("b")),
        (vec!["192.0.2.9".to_owned()], vec!["192.0.2.9".to_owned()])
    );
    // One more comes for a port that is taken, and goes by name before them.
    let cluster = cluster.gateway("0", &[80], asked.clone());
    assert_eq!(
        cluster.told("0"),
        ["unusable: the ports of this Gateway are taken at 192.0.2.9 by Gateway infra/a"]
    );
    // A port that comes later and is taken is not served; the others are.
    let cluster = cluster.gateway("b", &[8080, 80], asked);
    assert_eq!(cluster.told("b"), ["192.0.2.9"]);
    let decision = cluster.of("b");
    assert_eq!(
        decision.taken_ports.values().collect::<Vec<_>>(),
        ["port 80/TCP of 192.0.2.9 is Gateway infra/a's"]
    );
    assert_eq!(cluster.told("a"), ["192.0.2.9"]);
}

#[test]
fn what_nobody_asked_for_by_name_is_shared_only_when_no_other_is_left() {
    let pool = Cluster::new().pool("lab", json!({"addresses": ["192.0.2.9"]}));
    let cluster =
        pool.gateway("a", &[80], json!([])).gateway("b", &[8080], json!([])).gateway("c", &[80], json!([]));
    assert_eq!(cluster.told("b"), ["192.0.2.9"]);
    assert_eq!(cluster.told("c"), ["none: the AddressPool lab has no address left"]);
}

#[test]
fn pools_choose_gateways_by_labels() {
    let cluster = lab().pool("other", json!({
        "addresses": ["198.51.100.1-198.51.100.2"], "gatewaySelector": {"matchLabels": {"zone": "b"}}, "autoAssign": false,
    }));
    let asked = json!([{"value": "198.51.100.1"}]);
    let cluster =
        cluster.gateway("a", &[80], asked.clone()).gateway("b", &[80], asked).gateway("c", &[80], json!([]));
    assert_eq!(
        cluster.told("a"),
        ["unusable: the AddressPool other has 198.51.100.1, but does not select this Gateway"]
    );
    assert_eq!(cluster.told("b"), ["198.51.100.1"]);
    assert_eq!(cluster.told("c"), ["192.0.2.9"]);
}

#[test]
fn a_cloud_gives_what_it_gives() {
    let cloud =
        Cluster::new().gateway("a", &[80], json!([])).gateway("b", &[80], json!([{"value": "192.0.2.9"}]));
    assert_eq!(cloud.told("a"), ["awaited: the Service infra/a-portway is not there yet"]);
    assert!(cloud.of("b").service.load_balancer_ip.is_some());
    let spec = json!({"type": "LoadBalancer"});
    let cloud = cloud
        .service("a", spec.clone(), json!([{"hostname": "lb.example.com"}, {"ip": "203.0.113.5"}]))
        .service("b", spec, json!([{"ip": "203.0.113.6"}]));
    assert_eq!(cloud.told("a"), ["203.0.113.5", "lb.example.com"]);
    assert_eq!(cloud.told("b"), ["unusable: the load balancer has given 203.0.113.6 in place of 192.0.2.9"]);
    // A pool that comes later takes nothing from it.
    let cloud = cloud.pool("lab", json!({"addresses": ["192.0.2.8/30"]}));
    assert_eq!(cloud.told("a"), ["203.0.113.5", "lb.example.com"]);
    assert_eq!(cloud.of("a").service.load_balancer_class, None);
}

/// GEP-5093: `Cluster` is a ClusterIP, and nothing else is opened where nothing else is asked for.
#[test]
fn addresses_within_the_cluster() {
    let inner = json!([{"routability": "Cluster"}]);
    let cluster = lab().gateway("a", &[80], inner);
    assert_eq!(cluster.told("a"), ["awaited: the Service infra/a-portway is not there yet"]);
    let cluster = cluster.settled();
    assert_eq!(cluster.told("a"), ["10.96.0.7 Cluster"]);
    assert_eq!(cluster.of("a").service.kind.as_str(), "ClusterIP");
    let both = lab().gateway("b", &[80], json!([{"routability": "Cluster"}, {}])).settled();
    assert_eq!(both.told("b"), ["10.96.0.7 Cluster", "192.0.2.9"]);
    let chosen =
        lab().gateway("c", &[80], json!([])).parameters("c", json!({"service": {"type": "ClusterIP"}}));
    assert_eq!(chosen.settled().told("c"), ["10.96.0.7 Cluster"]);
    let sentinel = lab().gateway("d", &[80], json!([{"routability": "testing.x-k8s.io/sentinel"}]));
    assert_eq!(sentinel.told("d"), ["192.0.2.9 testing.x-k8s.io/sentinel"]);
}

fn node_port(policy: Option<&str>) -> Cluster {
    let service = json!({"type": "NodePort", "externalTrafficPolicy": policy});
    let spec = json!({"type": "NodePort", "ipFamilies": ["IPv4"], "clusterIPs": ["10.96.0.7"]});
    let gateway = lab().gateway("a", &[80], json!([])).parameters("a", json!({"service": service}));
    gateway.service("a", spec, json!([]))
}

#[test]
fn a_node_port_is_reached_at_the_nodes() {
    assert_eq!(node_port(None).told("a"), ["10.96.0.7 Cluster"], "nobody may read nodes");
    let inner = node_port(None).node("n2", &[], &["10.0.0.2", "2001:db8::2"]).node("n1", &[], &["10.0.0.1"]);
    assert_eq!(
        inner.told("a"),
        ["10.0.0.1", "10.0.0.2"],
        "of the Service's family, whatever carries proxies"
    );
    assert_eq!(inner.of("a").service.kind.as_str(), "NodePort");
    let outer = inner.clone().node("n3", &["203.0.113.3"], &["10.0.0.3"]);
    assert_eq!(outer.told("a"), ["203.0.113.3"]);
    // What is asked for is chosen among them, and a ClusterIP told where it is asked for.
    let asked = json!([{"value": "10.0.0.2"}, {"routability": "Cluster"}]);
    assert_eq!(inner.gateway("a", &[80], asked).told("a"), ["10.0.0.2", "10.96.0.7 Cluster"]);
}

#[test]
fn with_traffic_policy_local_only_nodes_that_carry_ready_proxies_count() {
    let cluster =
        node_port(Some("Local")).node("n1", &[], &["10.0.0.1"]).node("n2", &["203.0.113.2"], &["10.0.0.2"]);
    assert_eq!(cluster.told("a"), ["awaited: no proxy of the Service infra/a-portway is ready"]);
    let cluster = cluster.proxy("a", "n1", true).proxy("a", "n2", false);
    assert_eq!(cluster.told("a"), ["10.0.0.1"]);
    let cluster = cluster.proxy("a", "n2", true);
    assert_eq!(cluster.told("a"), ["203.0.113.2"]);
}

#[test]
fn a_status_tells_no_more_addresses_than_it_can() {
    let mut cluster = node_port(None);
    for number in 1..=40 {
        cluster = cluster.node(&format!("n{number}"), &[], &[&format!("10.0.0.{number}")]);
    }
    let told = cluster.told("a");
    assert_eq!((told.len(), &*told[0], &*told[15]), (16, "10.0.0.1", "10.0.0.16"));
}

#[derive(Clone, Debug)]
struct Asked {
    ports: Vec<u16>,
    addresses: Vec<Option<u8>>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let port = prop::sample::select(vec![80u16, 443, 8080]);
    let address = prop::option::of(0u8..6);
    (prop::collection::vec(port, 1..3), prop::collection::vec(address, 0..3))
        .prop_map(|(ports, addresses)| Asked { ports, addresses })
}

fn with(mut cluster: Cluster, gateways: &BTreeMap<u8, Asked>) -> Cluster {
    cluster.0.gateways.clear();
    for (name, asked) in gateways {
        let entry = |it: &Option<u8>| it.map_or(json!({}), |it| json!({"value": format!("192.0.2.{it}")}));
        let addresses: Vec<_> = asked.addresses.iter().map(entry).collect();
        cluster = cluster.gateway(&format!("g{name}"), &asked.ports, json!(addresses));
    }
    cluster
}

proptest! {
    /// Nobody has what another has; what was decided once stays, whoever comes and goes.
    #[test]
    fn no_port_is_given_twice_and_nothing_moves(
        first in prop::collection::btree_map(0u8..8, asked(), 0..6),
        more in prop::collection::btree_map(8u8..12, asked(), 0..4),
    ) {
        let pool = Cluster::new().pool("lab", json!({"addresses": ["192.0.2.0-192.0.2.3"]}));
        let cluster = with(pool, &first).settled();
        let before = cluster.decide();
        let mut seen = BTreeSet::new();
        for (key, decision) in &before {
            let ports: BTreeSet<_> = first[&key.name[1..].parse::<u8>().unwrap_or(0)].ports.iter().copied().collect();
            for address in decision.service.ingress.iter().flatten() {
                for port in ports.iter().filter(|it| !decision.taken_ports.keys().any(|b| b.port == **it)) {
                    prop_assert!(seen.insert((*address, *port)), "{address}:{port} is given twice: {before:#?}");
                }
            }
        }
        prop_assert_eq!(&cluster.clone().settled().decide(), &before, "a second look decides otherwise");
        let mut all = first.clone();
        all.extend(more);
        let after = with(cluster, &all).decide();
        for (key, decision) in &before {
            let had = decision.service.ingress.iter().flatten();
            let has: BTreeSet<_> = after[key].service.ingress.iter().flatten().collect();
            for address in had {
                prop_assert!(has.contains(address), "{key} has lost {address}: {before:#?} {after:#?}");
            }
        }
    }
}
