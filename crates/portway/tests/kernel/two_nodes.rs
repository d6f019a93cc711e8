//! Two nodes and a client on one link; on each node an agent and two pods, whose interfaces on the node have no address, as with
//! CNIs that route to each pod.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;

use portway_config::network_policy::PolicyFacts;

use crate::controller::{ADMIN, Controller, ask};
use crate::exposed::{ADDRESSES, HTTP, TCP, Told, UDP, configuration};
use crate::host::Host;
use crate::peers::{Connection, Datagrams, serve_tcp, serve_udp};
use crate::running::curl::curl;
use crate::running::portway::Portway;

pub(crate) const NAMES: [&str; 2] = ["a", "b"];
/// Of each node, in both families.
pub(crate) const NODES: [[&str; 2]; 2] = [["192.0.2.1", "2001:db8:c::1"], ["192.0.2.2", "2001:db8:c::2"]];
const CLIENT: [&str; 2] = ["192.0.2.7", "2001:db8:c::7"];

/// Of the nodes' interfaces that lead to pods.
const LINK: &str = "ee:ee:ee:ee:ee:ee";

/// Where the servers of a pod listen.
pub(crate) fn pod(node: usize, number: usize) -> [SocketAddr; 2] {
    [format!("10.{node}.0.{number}:8080"), format!("[fd00:{node}::{number}]:8080")]
        .map(|it| it.parse().unwrap())
}

pub(crate) struct Cluster {
    /// What the link is.
    _switch: Host,
    pub(crate) client: Host,
    pub(crate) nodes: Vec<Host>,
    /// Of each node.
    pub(crate) pods: Vec<Vec<Host>>,
    /// Of each node, on itself.
    controllers: Vec<Controller>,
    agents: Mutex<Vec<Portway>>,
    is_policed: bool,
}

impl Cluster {
    fn new() -> Self {
        Self::with(false)
    }

    /// With agents that enforce network policies, or without.
    pub(crate) fn with(is_policed: bool) -> Self {
        let (switch, client) = (Host::new("switch"), Host::new("client"));
        switch.ip("link add br0 type bridge");
        switch.ip("link set br0 up");
        plug(&switch, &client, "client", CLIENT);
        let (mut nodes, mut pods) = (Vec::new(), Vec::new());
        for (number, addresses) in NODES.into_iter().enumerate() {
            let node = Host::new(NAMES[number]);
            plug(&switch, &node, &format!("node-{}", NAMES[number]), addresses);
            for knob in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                node.set(knob, "1");
            }
            let other = 1 - number;
            node.ip(&format!("route add 10.{other}.0.0/24 via {}", NODES[other][0]));
            node.ip(&format!("route add fd00:{other}::/64 via {}", NODES[other][1]));
            drop_invalid(&node);
            pods.push((2..4).map(|it| add_pod(&node, number, it)).collect());
            nodes.push(node);
        }
        let controllers = nodes.iter().map(Controller::on).collect();
        let it =
            Self { _switch: switch, client, nodes, pods, controllers, agents: Mutex::default(), is_policed };
        it.start_agents();
        it.enter_by(0);
        it
    }

    /// Starts an agent on each node, after the end of the one that is there.
    fn start_agents(&self) {
        let mut agents = self.agents.lock().unwrap();
        for agent in agents.drain(..) {
            agent.signal("TERM");
            agent.wait();
        }
        for (number, (host, controller)) in self.nodes.iter().zip(&self.controllers).enumerate() {
            let mut options = vec!["--node-address", NODES[number][0], "--drain-timeout", "60s"];
            if self.is_policed {
                options.extend([
                    "--node-name",
                    NAMES[number],
                    "--policy",
                    "on",
                    "--service-network",
                    "10.96.0.0/16",
                ]);
            }
            agents.push(controller.agent(host, &options));
        }
    }

    /// Has the client send what is for the Gateway to a node.
    pub(crate) fn enter_by(&self, node: usize) {
        for family in 0..2 {
            self.client.ip(&format!("route replace {} via {}", ADDRESSES[family], NODES[node][family]));
        }
    }

    /// Publishes these pods (node and number) as endpoints and as proxies, and waits for both agents.
    fn lead_to(&self, endpoints: &[(usize, usize)], proxies: &[(usize, usize)]) {
        self.tell(endpoints, proxies, &PolicyFacts::default());
    }

    /// The same, with network policies.
    pub(crate) fn tell(
        &self,
        endpoints: &[(usize, usize)],
        proxies: &[(usize, usize)],
        policy: &PolicyFacts,
    ) {
        let listed = |pods: &[(usize, usize)]| -> Vec<(SocketAddr, &'static str)> {
            let of = |(node, number): &(usize, usize)| pod(*node, *number).map(|it| (it, NAMES[*node]));
            pods.iter().flat_map(of).collect()
        };
        let addresses = NODES.iter().zip(NAMES);
        let nodes =
            addresses.flat_map(|(of_node, name)| of_node.map(|it| (it.parse().unwrap(), name))).collect();
        let told =
            Told { endpoints: listed(endpoints), proxies: listed(proxies), policy: policy.clone(), nodes };
        self.controllers.iter().for_each(|it| it.publish(configuration(&told)));
    }

    /// Has a server of TCP and UDP in each pod.
    pub(crate) fn serve_all(&self) {
        for (node, pods) in self.pods.iter().enumerate() {
            for (number, host) in pods.iter().enumerate() {
                for address in pod(node, number + 2) {
                    serve_tcp(host, address);
                    serve_udp(host, address);
                }
            }
        }
    }

    /// The sum of a metric of an agent, over the samples that have a label.
    fn metric(&self, node: usize, name: &'static str, label: &str) -> u64 {
        let url = format!("http://{ADMIN}/metrics");
        let metrics = self.nodes[node].run(move || curl(["--max-time", "5", url.as_str()]).body);
        let samples = metrics.lines().filter(|it| it.starts_with(name) && it.contains(label));
        samples.filter_map(|it| it.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }
}

/// Plugs a host into the switch.
fn plug(switch: &Host, host: &Host, port: &str, addresses: [&str; 2]) {
    let addresses = [format!("{}/24", addresses[0]), format!("{}/64", addresses[1])];
    host.join(("eth0", &[&addresses[0], &addresses[1]]), switch, (port, &[]));
    switch.ip(&format!("link set {port} master br0"));
}

/// A pod that has a route to nobody but its node, and the node a route to it.
fn add_pod(node: &Host, of_node: usize, number: usize) -> Host {
    let host = Host::new(&format!("pod-{of_node}-{number}"));
    let interface = format!("veth{number}");
    let [ipv4, ipv6] = pod(of_node, number).map(|it| it.ip());
    node.join((&interface, &[]), &host, ("eth0", &[&format!("{ipv4}/32"), &format!("{ipv6}/128")]));
    node.ip(&format!("link set {interface} address {LINK}"));
    node.ip(&format!("addr add fe80::1/64 dev {interface} nodad"));
    node.ip(&format!("route add {ipv4}/32 dev {interface} src {}", NODES[of_node][0]));
    node.ip(&format!("route add {ipv6}/128 dev {interface} src {}", NODES[of_node][1]));
    host.ip("route add 169.254.1.1 dev eth0 scope link");
    host.ip(&format!("neigh add 169.254.1.1 dev eth0 lladdr {LINK}"));
    host.ip("route add default via 169.254.1.1 dev eth0");
    host.ip("route add default via fe80::1 dev eth0");
    host
}

/// As kube-proxy does: packets of connections whose beginning the node has not seen go no further.
fn drop_invalid(node: &Host) {
    node.run(|| {
        let rules = "add table inet f; add chain inet f forward { type filter hook forward priority 0; }; \
                     add rule inet f forward ct state invalid drop";
        assert!(Command::new("nft").arg(rules).status().unwrap().success(), "nft {rules}");
    });
}

#[test]
fn pods_of_both_nodes_see_the_client_and_answer_it_themselves() {
    let it = Cluster::new();
    it.serve_all();
    it.lead_to(&[(0, 2), (1, 2)], &[]);
    for family in 0..2 {
        let mut servers = BTreeSet::new();
        for _ in 0..20 {
            let mut connection = Connection::open(&it.client, TCP[family]);
            assert_eq!(connection.told.client, connection.stream.local_addr().unwrap());
            connection.exchange(100_000);
            servers.insert(connection.told.server);
            connection.close();
            let socket = Datagrams::open(&it.client, UDP[family]);
            let told = socket.exchange(1000);
            assert_eq!(told.client, socket.address);
            assert_eq!(socket.exchange(10).server, told.server);
        }
        assert_eq!(servers, [pod(0, 2)[family], pod(1, 2)[family]].into());
    }

    it.lead_to(&[(1, 2)], &[]);
    let answered = || it.metric(0, "portway_kernel_packets_total", "from_endpoint");
    let before = answered();
    for listener in TCP {
        Connection::open(&it.client, listener).exchange(1 << 20);
    }
    assert_eq!(answered(), before, "the first node has seen replies");
    let status = ask(&it.nodes[0], &["status"]);
    assert!(
        status.contains(&format!(
            "TCP {}: by the kernel (client_address_kept): endpoints see the client's",
            TCP[0]
        )),
        "{status}"
    );
}

/// As when an address moves: the table is the same on every node, so that the same endpoint is found.
#[test]
fn a_connection_goes_on_by_the_other_node() {
    let it = Cluster::new();
    it.serve_all();
    it.lead_to(&[(0, 2), (0, 3), (1, 2), (1, 3)], &[]);
    // Where nothing was served before, the connections of others are let alone at first.
    it.start_agents();
    it.lead_to(&[(0, 2), (1, 2), (1, 3)], &[]);
    for listener in TCP {
        it.enter_by(0);
        let mut connections: Vec<_> = (0..30).map(|_| Connection::open(&it.client, listener)).collect();
        for node in [1, 0] {
            it.enter_by(node);
            connections.iter_mut().for_each(|it| it.exchange(10_000));
        }
        let servers: BTreeSet<_> = connections.iter().map(|it| it.told.server).collect();
        assert!(servers.len() > 2, "{servers:?}");
    }
}

#[test]
fn connections_stay_with_their_pods_when_others_come_and_go() {
    let it = Cluster::new();
    it.serve_all();
    it.lead_to(&[(1, 2)], &[]);
    let mut old: Vec<_> = (0..2).map(|family| Connection::open(&it.client, TCP[family])).collect();
    it.lead_to(&[(0, 2), (1, 3)], &[]);
    for (family, connection) in old.iter_mut().enumerate() {
        connection.exchange(100_000);
        assert_eq!(connection.told.server, pod(1, 2)[family]);
        for _ in 0..5 {
            assert_ne!(Connection::open(&it.client, TCP[family]).told.server, pod(1, 2)[family]);
        }
    }
}

#[test]
fn a_pod_reaches_pods_of_both_nodes_and_itself_by_the_gateway() {
    let it = Cluster::new();
    it.serve_all();
    let client = &it.pods[0][0];
    for (server, is_kept) in [((0, 2), false), ((0, 3), true), ((1, 2), true)] {
        it.lead_to(&[server], &[]);
        for family in 0..2 {
            let mut connection = Connection::open(client, TCP[family]);
            assert_eq!(connection.told.server, pod(server.0, server.1)[family]);
            let seen = connection.told.client.ip().to_string();
            let own = pod(0, 2)[family].ip().to_string();
            assert_eq!(seen, if is_kept { own } else { NODES[0][family].to_owned() });
            connection.exchange(100_000);
        }
    }
}

#[test]
fn http_goes_to_the_proxies_of_both_nodes_which_see_the_client() {
    let it = Cluster::new();
    it.serve_all();
    it.lead_to(&[], &[(0, 3), (1, 3)]);
    for (family, listener) in HTTP.into_iter().enumerate() {
        let mut proxies = BTreeSet::new();
        for _ in 0..20 {
            let connection = Connection::open(&it.client, listener);
            assert_eq!(connection.told.client, connection.stream.local_addr().unwrap());
            proxies.insert(connection.told.server);
        }
        assert_eq!(proxies, [pod(0, 3)[family], pod(1, 3)[family]].into());
        let mut old = Connection::open(&it.client, listener);
        let left = usize::from(old.told.server == pod(0, 3)[family]);
        it.lead_to(&[], &[(left, 3)]);
        assert_eq!(Connection::open(&it.client, listener).told.server, pod(left, 3)[family]);
        old.exchange(10_000);
        it.lead_to(&[], &[(0, 3), (1, 3)]);
    }
    let status = ask(&it.nodes[1], &["status"]);
    let expected = format!(
        "web/edge/8000 at TCP {}: by the proxies (reads_content): HTTP and TLS are read to find the route; the kernel takes packets to",
        HTTP[0]
    );
    assert!(status.contains(&expected), "{status}");
}
