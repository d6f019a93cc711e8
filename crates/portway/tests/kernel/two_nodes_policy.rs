//! Network policies at a pod whose node is not the one that clients' packets come to: they are left to it as they are.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use portway_config::NamespacedName;
use portway_config::network_policy::{
    GatewayProxies, NetworkPolicy, PolicyFacts, PolicyNamespace, PolicyPod,
};
use serde_json::{Value, json};

use crate::exposed::{TCP, UDP};
use crate::host::Host;
use crate::peers::{Connection, Datagrams};
use crate::running::eventually;
use crate::two_nodes::{Cluster, NAMES, pod};

/// The server, on the second node.
const SERVER: (usize, usize) = (1, 2);

fn facts() -> PolicyFacts {
    let mut facts = PolicyFacts::default();
    for namespace in ["shop", "web"] {
        let labels = [("name".into(), namespace.into())].into();
        let value = PolicyNamespace { name: namespace.into(), labels };
        facts.namespaces.insert(namespace.into(), Arc::new(value));
    }
    for (node, number) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        let name = NamespacedName::new("shop", format!("pod-{node}-{number}"));
        let value = PolicyPod {
            name: name.clone(),
            uid: format!("uid-{node}-{number}").into(),
            created: 0,
            is_leaving: false,
            node: NAMES[node].into(),
            labels: [("app".into(), if (node, number) == SERVER { "server" } else { "other" }.into())].into(),
            ports: Vec::new(),
            addresses: pod(node, number).map(|it| it.ip()).to_vec(),
            host_network: false,
        };
        facts.pods.insert(name, Arc::new(value));
    }
    let gateway = NamespacedName::new("web", "edge");
    let labels = [("gateway".into(), "edge".into())].into();
    let proxies = GatewayProxies { gateway: gateway.clone(), labels, ports: Vec::new() };
    facts.proxies.insert(gateway, Arc::new(proxies));
    facts
}

/// Admits a peer to the server.
fn admit(cluster: &Cluster, peer: Value) {
    let mut facts = facts();
    let spec = json!({"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [{"from": [peer]}]});
    let spec = serde_json::from_value(spec).unwrap();
    let name = NamespacedName::new("shop", "server");
    facts.policies.insert(name.clone(), Arc::new(NetworkPolicy { name, rehearse: None, spec }));
    cluster.tell(&[SERVER], &[], &facts);
}

fn of_gateway(gateway: &str) -> Value {
    json!({"namespaceSelector": {}, "podSelector": {"matchLabels": {"gateway": gateway}}})
}

fn reaches(host: &Host, address: std::net::SocketAddr) -> bool {
    host.run(move || TcpStream::connect_timeout(&address, Duration::from_millis(600)).is_ok())
}

/// Waits until a host reaches the server by the Gateway, or not, and directly, or not: by TCP. UDP is then as well.
fn until(host: &Host, expected: [bool; 2]) {
    let direct = pod(SERVER.0, SERVER.1)[0];
    eventually(&format!("by the Gateway, directly: {expected:?}"), || {
        let ways = [TCP[0].parse().unwrap(), direct].map(|it| reaches(host, it));
        (ways == expected).then_some(())
    });
    assert_eq!(Datagrams::open(host, UDP[0]).answers(Duration::from_millis(600)), expected[0]);
}

#[test]
fn a_policy_that_admits_the_gateway_admits_what_comes_by_the_other_node() {
    let cluster = Cluster::with(true);
    cluster.serve_all();
    let server = pod(SERVER.0, SERVER.1)[0];
    cluster.client.ip("route add 10.1.0.0/24 via 192.0.2.2");
    cluster.tell(&[SERVER], &[], &facts());
    until(&cluster.client, [true, true]);
    admit(&cluster, of_gateway("edge"));
    for entry in [0, 1] {
        cluster.enter_by(entry);
        until(&cluster.client, [true, false]);
        let mut connection = Connection::open(&cluster.client, TCP[0]);
        assert_eq!(connection.told.client, connection.stream.local_addr().unwrap(), "the client is seen");
        assert_eq!(connection.told.server, server);
        connection.exchange(100_000);
        // A pod of the other node, by its own node.
        until(&cluster.pods[0][0], [true, false]);
    }
    cluster.enter_by(0);
    admit(&cluster, of_gateway("another"));
    until(&cluster.client, [false, false]);
    admit(&cluster, json!({"ipBlock": {"cidr": "192.0.2.0/29"}}));
    until(&cluster.client, [true, true]);
    admit(&cluster, json!({"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.7/32"]}}));
    until(&cluster.client, [false, false]);
}
