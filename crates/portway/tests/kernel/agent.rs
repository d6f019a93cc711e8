//! `portway agent`: a node of a cluster, told by a controller what to serve.

use std::net::SocketAddr;
use std::sync::Arc;

use portway_config::backend::{BackendTls, EndpointState};
use portway_config::key::BackendProtocol;
use portway_config::route::{BackendTarget, L4Rule, WeightedBackend};
use portway_config::{
    Attachment, Backend, BackendKey, Configuration, Endpoint, EndpointAddress, Endpoints, EndpointsKey,
    Exposure, HostnamePattern, Listener, ListenerKey, ListenerParent, ListenerProtocol, NamespacedName,
    Route, RouteKey, RouteKind, Rules, Transport,
};

use crate::controller::{ADMIN, Controller, agents, ask};
use crate::host::Host;
use crate::network::{CLIENT, Network};
use crate::peers::{Connection, Datagrams, serve_tcp, serve_udp};
use crate::running::eventually;
use crate::running::portway::Portway;
use crate::wiring::pod;

/// Of the Gateway: no machine has it.
const ADDRESS: &str = "203.0.113.10";
pub(crate) const TCP: &str = "203.0.113.10:7000";
pub(crate) const UDP: &str = "203.0.113.10:7001";

/// A node with a controller, and an agent that is told by it.
pub(crate) struct Cluster {
    pub(crate) it: Network,
    pub(crate) controller: Controller,
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let it = Network::new();
        let controller = Controller::on(&it.node);
        Self { it, controller }
    }

    pub(crate) fn agent(&self) -> Portway {
        let options = ["--node-address", "198.51.100.254", "--drain-timeout", "60s"];
        self.controller.agent(&self.it.node, &options)
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        ask(&self.it.node, arguments)
    }

    /// Publishes these endpoints, and waits until the agent has answered.
    pub(crate) fn lead_to(&self, endpoints: &[SocketAddr]) {
        self.controller.publish(configuration(ADDRESS, endpoints));
    }
}

/// A TCP and a UDP listener of one Gateway.
pub(crate) fn configuration(address: &str, endpoints: &[SocketAddr]) -> Configuration {
    let gateway = NamespacedName::new("web", "edge");
    let mut configuration = Configuration::empty(agents());
    for (port, protocol, transport, kind, spoken) in [
        (7000, ListenerProtocol::Tcp, Transport::Tcp, RouteKind::Tcp, BackendProtocol::Tcp),
        (7001, ListenerProtocol::Udp, Transport::Udp, RouteKind::Udp, BackendProtocol::Udp),
    ] {
        let name = port.to_string().into();
        let listener = ListenerKey { parent: ListenerParent::Gateway(gateway.clone()), name };
        let hostname = HostnamePattern::Any;
        let value =
            Listener { key: listener.clone(), port, hostname: hostname.clone(), protocol, filters: vec![] };
        configuration.listeners.insert(listener.clone(), Arc::new(value));
        let addresses = vec![address.parse().unwrap()];
        let value =
            Exposure { listener: listener.clone(), gateway: gateway.clone(), addresses, proxies: None };
        configuration.exposures.insert(listener.clone(), Arc::new(value));
        let key = EndpointsKey { service: NamespacedName::new("web", "echo"), port, transport };
        let endpoint = |it: &SocketAddr| Endpoint {
            address: EndpointAddress::Socket(*it),
            state: EndpointState::Ready,
            node: None,
        };
        let value = Endpoints { key: key.clone(), endpoints: endpoints.iter().map(endpoint).collect() };
        configuration.endpoints.insert(key.clone(), Arc::new(value));
        let backend = BackendKey { endpoints: key, protocol: spoken };
        let value = Backend { key: backend.clone(), tls: BackendTls::Plain };
        configuration.backends.insert(backend.clone(), Arc::new(value));
        let target = BackendTarget::Backend(backend);
        let backends = vec![WeightedBackend { index: 0, weight: 1, target, filters: vec![] }];
        let key = RouteKey { kind, name: NamespacedName::new("web", "echo") };
        let route = Route {
            key: key.clone(),
            created: None,
            hostnames: vec![],
            attachments: vec![Attachment { listener, hostnames: vec![hostname] }],
            rules: Rules::L4(vec![L4Rule { index: 0, name: None, backends }]),
        };
        configuration.routes.insert(key, Arc::new(route));
    }
    configuration
}

pub(crate) fn serve_all(it: &Network) {
    for (number, host) in it.pods.iter().enumerate() {
        serve_tcp(host, pod(number)[0]);
        serve_udp(host, pod(number)[0]);
    }
}

#[test]
fn pods_of_the_node_see_the_client_and_those_of_others_the_node() {
    let cluster = Cluster::new();
    let it = &cluster.it;
    serve_all(it);
    // A pod of another node, which the client's host happens to lead to.
    let remote = Host::new("remote");
    it.client.join(("remote", &["10.9.0.1/24"]), &remote, ("eth0", &["10.9.0.2/24"]));
    it.client.set("ipv4/ip_forward", "1");
    remote.ip("route add default via 10.9.0.1");
    it.node.ip("route add 10.9.0.0/24 via 198.51.100.7");
    let far = "10.9.0.2:8080".parse().unwrap();
    serve_tcp(&remote, far);

    let _agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0]]);
    let mut connection = Connection::open(&it.client, TCP);
    connection.exchange(1 << 20);
    assert_eq!(connection.told.server, pod(0)[0]);
    assert_eq!(connection.told.client.ip().to_string(), CLIENT[0]);
    let socket = Datagrams::open(&it.client, UDP);
    assert_eq!(socket.exchange(1000).client, socket.address);

    let status = cluster.ask(&["status"]);
    assert!(
        status.contains(&format!(
            "web/edge/7000 at TCP {TCP}: by the kernel (client_address_kept): endpoints see"
        )),
        "{status}"
    );
    assert!(
        status.contains("attached to: ")
            && status.contains("addresses served: 2; endpoints: 2")
            && status.contains("services 2 of 4096"),
        "{status}"
    );

    cluster.lead_to(&[far]);
    let mut connection = Connection::open(&it.client, TCP);
    connection.exchange(1 << 20);
    assert_eq!(
        (connection.told.server, connection.told.client.ip().to_string().as_str()),
        (far, "198.51.100.254")
    );
}

#[test]
fn connections_outlive_the_agent_and_the_next_one_goes_on() {
    let cluster = Cluster::new();
    let it = &cluster.it;
    serve_all(it);
    let agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0]]);
    let mut connection = Connection::open(&it.client, TCP);
    connection.exchange(1000);
    agent.signal("KILL");
    agent.wait();
    connection.exchange(1 << 20);
    let mut meanwhile = Connection::open(&it.client, TCP);

    let agent = cluster.agent();
    cluster.lead_to(&[pod(1)[0]]);
    assert_eq!(Connection::open(&it.client, TCP).told.server, pod(1)[0]);
    for connection in [&mut connection, &mut meanwhile] {
        assert_eq!(connection.told.server, pod(0)[0]);
        connection.exchange(1 << 20);
    }
    assert_eq!(it.programs_at("clients"), 2, "the new ones are in the place of the old ones");
    let status = cluster.ask(&["status", "--admin", ADMIN]);
    assert!(status.contains("of which 2 drain"), "{status}");

    agent.signal("TERM");
    assert_eq!(agent.wait().0, Some(0));
    connection.exchange(1000);
    let told = cluster.ask(&["remove", "--pins", &cluster.controller.pins()]);
    assert!(told.contains("removed"), "{told}");
    assert_eq!(it.programs_at("clients"), 0);
}

#[test]
fn an_agent_of_another_layout_leads_connections_on_by_the_table() {
    let cluster = Cluster::new();
    let it = &cluster.it;
    serve_all(it);
    let agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0], pod(1)[0]]);
    let mut connections: Vec<_> = (0..8).map(|_| Connection::open(&it.client, TCP)).collect();
    agent.signal("KILL");
    agent.wait();
    let pins = std::path::PathBuf::from(cluster.controller.pins());
    let folder = std::fs::read_dir(&pins).unwrap().next().unwrap().unwrap().path();
    let former = pins.join("v0-0123456789abcdef");
    std::fs::rename(&folder, &former).unwrap();

    let agent = cluster.agent();
    cluster.lead_to(&[pod(0)[0], pod(1)[0]]);
    eventually("the former programs are gone", || (!former.exists()).then_some(()));
    assert_eq!(it.programs_at("clients"), 2);
    connections.iter_mut().for_each(|connection| connection.exchange(1000));
    let told = agent.stderr();
    assert!(
        told.contains("does not know that of v0-0123456789abcdef; connections go on as far as"),
        "{told}"
    );
}
