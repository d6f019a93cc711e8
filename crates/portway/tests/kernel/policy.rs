//! `portway agent --policy on`: network policies at a node's pods, as a controller tells of them.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use portway_config::cluster_policy::ClusterNetworkPolicy;
use portway_config::network_policy::{GatewayProxies, NetworkPolicy, PolicyNamespace, PolicyPod};
use portway_config::{Configuration, NamespacedName};
use serde_json::{Value, json};

use crate::controller::{ADMIN, Controller, agents, ask};
use crate::exposed::{ADDRESSES, INNER_ADDRESSES, Told, add_gateway, configuration};
use crate::host::Host;
use crate::network::Network;
use crate::peers::{Connection, Datagrams, serve_tcp, serve_udp};
use crate::running::curl::curl;
use crate::running::eventually;
use crate::running::portway::Portway;
use crate::wiring::pod;

const OPTIONS: [&str; 10] = [
    "--node-address",
    "198.51.100.254",
    "--node-name",
    "node",
    "--policy",
    "on",
    "--service-network",
    "10.96.0.0/16",
    "--pod-network",
    "10.0.0.0/16",
];

/// A node whose pods, `web` and `db`, a controller tells of.
struct Cluster {
    it: Network,
    controller: Controller,
    configuration: Configuration,
}

fn name(name: &str) -> NamespacedName {
    NamespacedName::new("shop", name)
}

impl Cluster {
    fn new() -> Self {
        let it = Network::new();
        let controller = Controller::on(&it.node);
        let mut configuration = Configuration::empty(agents());
        let shop = PolicyNamespace { name: "shop".into(), labels: [].into() };
        configuration.policy.namespaces.insert("shop".into(), Arc::new(shop));
        let mut cluster = Self { it, controller, configuration };
        cluster.add_pod("web", 0);
        cluster.add_pod("db", 1);
        for (number, host) in cluster.it.pods.iter().enumerate() {
            serve_tcp(host, pod(number)[0]);
        }
        cluster
    }

    fn agent(&self) -> Portway {
        self.controller.agent(&self.it.node, &OPTIONS)
    }

    fn add_pod(&mut self, app: &str, number: usize) {
        let pod = PolicyPod {
            name: name(app),
            uid: format!("uid-of-{app}").into(),
            created: 0,
            is_leaving: false,
            node: "node".into(),
            labels: [("app".into(), app.into())].into(),
            ports: Vec::new(),
            addresses: pod(number).map(|it| it.ip()).to_vec(),
            host_network: false,
        };
        self.configuration.policy.pods.insert(name(app), Arc::new(pod));
    }

    fn put(&mut self, policy: &str, spec: Value) {
        let spec = serde_json::from_value(spec).unwrap();
        let value = NetworkPolicy { name: name(policy), rehearse: None, spec };
        self.configuration.policy.policies.insert(name(policy), Arc::new(value));
        self.publish();
    }

    fn put_of_cluster(&mut self, policy: &str, spec: Value) {
        let spec = serde_json::from_value(spec).unwrap();
        let value = ClusterNetworkPolicy { name: policy.into(), rehearse: None, spec };
        self.configuration.policy.cluster_policies.insert(policy.into(), Arc::new(value));
        self.publish();
    }

    fn publish(&self) {
        self.controller.publish(self.configuration.clone());
    }

    fn status(&self) -> String {
        ask(&self.it.node, &["status"])
    }

    /// Whether the database and the client reach the web.
    fn who_reaches_the_web(&self) -> [bool; 2] {
        [&self.it.pods[1], &self.it.client].map(|host| reaches(host, pod(0)[0]))
    }

    fn until(&self, expected: [bool; 2]) {
        eventually(&format!("{expected:?} reach the web"), || {
            (self.who_reaches_the_web() == expected).then_some(())
        });
    }
}

fn reaches(host: &Host, address: SocketAddr) -> bool {
    host.run(move || TcpStream::connect_timeout(&address, Duration::from_millis(600)).is_ok())
}

/// Whether the client gets answers from there, by TCP and by UDP.
fn is_answered(host: &Host, [tcp, udp]: [&str; 2]) -> bool {
    let by_udp = Datagrams::open(host, udp).answers(Duration::from_millis(500));
    let by_tcp = reaches(host, tcp.parse().unwrap());
    assert_eq!(by_tcp, by_udp, "{tcp}");
    by_tcp
}

#[test]
fn a_policy_admits_one_gateway_of_what_the_kernel_forwards() {
    let mut cluster = Cluster::new();
    serve_udp(&cluster.it.pods[0], pod(0)[0]);
    let told = Told { endpoints: vec![(pod(0)[0], "node")], ..Told::default() };
    let policy = cluster.configuration.policy.clone();
    cluster.configuration = configuration(&told);
    add_gateway(&mut cluster.configuration, &told, "inner", INNER_ADDRESSES);
    cluster.configuration.policy = policy;
    let web = PolicyNamespace { name: "web".into(), labels: [("kind".into(), "edges".into())].into() };
    cluster.configuration.policy.namespaces.insert("web".into(), Arc::new(web));
    for gateway in ["edge", "inner"] {
        let gateway = NamespacedName::new("web", gateway);
        let labels = [("gateway".into(), gateway.name.clone())].into();
        let proxies = GatewayProxies { gateway: gateway.clone(), labels, ports: vec![] };
        cluster.configuration.policy.proxies.insert(gateway, Arc::new(proxies));
    }
    let agent = cluster.agent();
    cluster.publish();
    let listeners = |address: &str| [format!("{address}:7000"), format!("{address}:7001")];
    let [edge, inner] = [ADDRESSES[0], INNER_ADDRESSES[0]].map(listeners);
    let direct = [pod(0)[0].to_string(), pod(0)[0].to_string()];
    let until = |cluster: &Cluster, expected: [bool; 3]| {
        let ways = [&edge, &inner, &direct].map(|way| way.each_ref().map(String::as_str));
        eventually(&format!("through edge, through inner, directly: {expected:?}"), || {
            // By the one protocol a change may come into force just before the other is tried.
            let by_tcp = ways.map(|[tcp, _]| reaches(&cluster.it.client, tcp.parse().unwrap()));
            (by_tcp == expected).then_some(())
        });
        assert_eq!(ways.map(|way| is_answered(&cluster.it.client, way)), expected);
    };
    until(&cluster, [true; 3]);
    let admit =
        |peer: Value| json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": [peer]}]});
    let of_gateway = |name: &str| {
        admit(json!({
            "namespaceSelector": {"matchLabels": {"kind": "edges"}},
            "podSelector": {"matchLabels": {"gateway": name}},
        }))
    };
    cluster.put("web", of_gateway("edge"));
    until(&cluster, [true, false, false]);
    let line = "through the Gateway web/inner";
    eventually("a line in the log", || agent.stderr().contains(line).then_some(()));
    cluster.put("web", of_gateway("inner"));
    until(&cluster, [false, true, false]);
    // What is kept tells the next agent whose each number is.
    agent.signal("KILL");
    agent.wait();
    until(&cluster, [false, true, false]);
    let _agent = cluster.agent();
    until(&cluster, [false, true, false]);
    cluster.publish();
    until(&cluster, [false, true, false]);
    cluster.put("web", admit(json!({"ipBlock": {"cidr": "198.51.100.0/24"}})));
    until(&cluster, [true; 3]);
    cluster.put("web", admit(json!({"ipBlock": {"cidr": "198.51.100.0/24", "except": ["198.51.100.7/32"]}})));
    until(&cluster, [false; 3]);
}

fn only_the_database() -> Value {
    json!({
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "db"}}}]}],
    })
}

#[test]
fn policies_are_enforced_told_of_and_counted() {
    let mut cluster = Cluster::new();
    let agent = cluster.agent();
    cluster.publish();
    cluster.until([true, true]);
    let status = eventually("the pods' status", || {
        let status = cluster.status();
        status.contains("shop/web at pod0: open").then_some(status)
    });
    assert!(
        status.contains("shop/db at pod1: open") && status.contains("without a known pod: clients"),
        "{status}"
    );

    cluster.put("web", only_the_database());
    cluster.until([true, false]);
    let status = cluster.status();
    assert!(status.contains("shop/web at pod0: ingress\n"), "{status}");
    assert!(status.contains("denied_ingress "), "{status}");
    let line = "denied by NetworkPolicy shop/web, ingress of the pod shop/web: TCP 198.51.100.7:";
    eventually("a line in the log", || agent.stderr().contains(line).then_some(()));
    let metrics = cluster.it.node.run(|| curl([format!("http://{ADMIN}/metrics")]).body);
    let counted = "portway_policy_flows_total{policy=\"shop/web\",direction=\"ingress\",outcome=\"denied\"} ";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("portway_policy_pods{state=\"guarded\"} 2\n"), "{metrics}");
    for (map, limit) in [("policy_pods", 1024), ("policy_ports", 1 << 20), ("policy_networks", 262_144)] {
        let limit = format!("portway_policy_map_entries_limit{{map=\"{map}\"}} {limit}\n");
        assert!(metrics.contains(&limit), "{limit} {metrics}");
    }
    assert!(metrics.contains("portway_policy_map_entries{map=\"policy_pods\"} 2\n"), "{metrics}");
    let configuration = cluster.it.node.run(|| curl([format!("http://{ADMIN}/config")]).body);
    let configuration: Value = serde_json::from_str(&configuration).unwrap();
    assert_eq!(configuration["policy"], json!(cluster.configuration.policy), "what is enforced");
}

#[test]
fn a_killed_agent_opens_nothing_and_the_next_one_goes_on() {
    let mut cluster = Cluster::new();
    let agent = cluster.agent();
    cluster.put("web", only_the_database());
    cluster.until([true, false]);
    let mut connection = Connection::open(&cluster.it.pods[1], &pod(0)[0].to_string());
    connection.exchange(1000);
    agent.signal("KILL");
    agent.wait();
    assert_eq!(cluster.who_reaches_the_web(), [true, false]);
    connection.exchange(1000);

    let agent = cluster.agent();
    assert_eq!(cluster.who_reaches_the_web(), [true, false]);
    cluster.put("db", json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Egress"]}));
    cluster.until([false, false]);
    cluster.configuration.policy.policies.remove(&name("db"));
    cluster.publish();
    cluster.until([true, false]);
    connection.exchange(1000);
    agent.signal("TERM");
    assert_eq!(agent.wait().0, Some(0));
    assert_eq!(cluster.who_reaches_the_web(), [true, false]);
    // Its word alone ends it.
    let told = ask(&cluster.it.node, &["remove", "--pins", &cluster.controller.pins()]);
    assert!(told.contains("removed"), "{told}");
    assert_eq!(cluster.who_reaches_the_web(), [true, true]);
}

#[test]
fn a_new_pod_is_served_once_it_is_told_of() {
    let mut cluster = Cluster::new();
    let _agent = cluster.agent();
    cluster.put("web", only_the_database());
    cluster.until([true, false]);
    let next = Host::new("next");
    cluster.it.node.join(("pod2", &["10.0.2.1/24"]), &next, ("eth0", &["10.0.2.2/24"]));
    next.ip("route add default via 10.0.2.1");
    serve_tcp(&next, pod(2)[0]);
    let database = pod(1)[0];
    assert!(!reaches(&next, database));
    eventually("the programs at its interface", || {
        cluster.status().contains("without a known pod: clients, pod2").then_some(())
    });
    assert!(!reaches(&next, database));
    cluster.add_pod("cache", 2);
    cluster.publish();
    eventually("it is served", || reaches(&next, database).then_some(()));
    assert!(!reaches(&next, pod(0)[0]), "it is not the database");
    assert!(reaches(&cluster.it.client, pod(2)[0]));
    cluster.it.node.ip("link del pod2");
    eventually("it is gone", || {
        let status = cluster.status();
        status
            .contains("shop/cache: reached by its node alone: no interface of this node leads")
            .then_some(())
    });
}

#[test]
fn without_word_of_pods_nothing_is_cut_off() {
    let cluster = Cluster::new();
    let _agent = cluster.agent();
    cluster.controller.publish(Configuration::empty(agents()));
    let trouble = "the controller tells of no pods: what was enforced before goes on";
    eventually("it is told", || cluster.status().contains(trouble).then_some(()));
    assert_eq!(cluster.who_reaches_the_web(), [true, true]);
}

/// Baseline denies where no NetworkPolicy selects the pod, and Admin whatever that allows.
#[test]
fn policies_of_the_cluster_come_before_and_after_those_of_namespaces() {
    let mut cluster = Cluster::new();
    let agent = cluster.agent();
    cluster.publish();
    cluster.until([true, true]);
    let deny = |tier: &str| {
        json!({"tier": tier, "priority": 10, "subject": {"namespaces": {}}, "ingress": [
            {"action": "Deny", "from": [{"namespaces": {}}]},
        ]})
    };
    cluster.put_of_cluster("isolated", deny("Baseline"));
    cluster.until([false, true]);
    let line = "denied by ClusterNetworkPolicy isolated, ingress of the pod shop/web: TCP ";
    eventually("a line in the log", || agent.stderr().contains(line).then_some(()));
    assert!(!reaches(&cluster.it.pods[0], pod(1)[0]));
    cluster.put("web", only_the_database());
    cluster.until([true, false]);
    assert!(!reaches(&cluster.it.pods[0], pod(1)[0]), "no NetworkPolicy selects the database");

    cluster.put_of_cluster("apart", deny("Admin"));
    cluster.until([false, false]);
    let line = "denied by ClusterNetworkPolicy apart, ingress of the pod shop/web: TCP ";
    eventually("a line in the log", || agent.stderr().contains(line).then_some(()));
    let metrics = cluster.it.node.run(|| curl([format!("http://{ADMIN}/metrics")]).body);
    let counted = "portway_policy_flows_total{policy=\"apart\",direction=\"ingress\",outcome=\"denied\"} ";
    assert!(metrics.contains(counted), "{metrics}");

    let mut passing = deny("Admin");
    (passing["priority"], passing["ingress"][0]["action"]) = (1.into(), "Pass".into());
    cluster.put_of_cluster("passing", passing);
    cluster.until([true, false]);
}
