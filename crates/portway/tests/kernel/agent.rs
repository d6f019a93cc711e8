//! `portway agent`: a node of a cluster, told by a controller what to serve.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;

use portway_config::backend::{BackendTls, EndpointState};
use portway_config::key::BackendProtocol;
use portway_config::route::{BackendTarget, L4Rule, WeightedBackend};
use portway_config::{
    Attachment, Backend, BackendKey, Configuration, Endpoint, EndpointAddress, Endpoints, EndpointsKey,
    Exposure, HostnamePattern, Listener, ListenerKey, ListenerParent, ListenerProtocol, NamespacedName,
    Revision, Route, RouteKey, RouteKind, Rules, Transport,
};
use portway_xds::{Authenticate, AuthenticationError, Identity, Limits, Publisher, Server, ServerTls, serve};
use tempfile::TempDir;

use crate::host::Host;
use crate::network::{CLIENT, Network};
use crate::peers::{Connection, Datagrams, serve_tcp, serve_udp};
use crate::running::eventually;
use crate::running::portway::{Portway, command};
use crate::wiring::pod;

/// Of the Gateway: no machine has it.
const ADDRESS: &str = "203.0.113.10";
const TCP: &str = "203.0.113.10:7000";
const UDP: &str = "203.0.113.10:7001";
const ADMIN: &str = "127.0.0.1:19902";

/// The controller's end of the stream, on the node itself, and a bpffs.
struct Cluster {
    it: Network,
    directory: TempDir,
    publisher: Publisher,
    server: SocketAddr,
}

struct AnyToken;

impl Authenticate for AnyToken {
    async fn authenticate(&self, _token: &str) -> Result<Identity, AuthenticationError> {
        let (namespace, service_account) = ("portway-system".into(), "portway-agent".into());
        Ok(Identity { namespace, service_account, pod: "agent".into() })
    }
}

fn agents() -> NamespacedName {
    NamespacedName::new("", "node-agents")
}

impl Cluster {
    fn new() -> Self {
        let it = Network::new();
        let directory = tempfile::tempdir().unwrap();
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(directory.path().join("ca.pem"), cert.pem()).unwrap();
        std::fs::write(directory.path().join("token"), "token").unwrap();
        std::fs::create_dir(directory.path().join("bpf")).unwrap();
        let mount =
            Command::new("mount").args(["-t", "bpf", "bpf"]).arg(directory.path().join("bpf")).status();
        assert!(mount.unwrap().success(), "a bpffs: this test needs root");
        let publisher = Publisher::new(Revision(1000), jiff::Timestamp::now);
        let server = Server {
            tls: ServerTls::from_pem(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).unwrap(),
            authenticator: AnyToken,
            gateway_of: Arc::new(|_: &Identity| Some(agents())),
            publisher: publisher.clone(),
            limits: Limits::default(),
        };
        let listener = it.node.run(|| TcpListener::bind("127.0.0.1:0").unwrap());
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                serve(listener, server, std::future::pending()).await;
            });
        });
        Self { it, directory, publisher, server: address }
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn agent(&self) -> Portway {
        let mut command = command(["agent", "--node-address", "198.51.100.254", "--admin", ADMIN]);
        command.args(["--controller", &format!("localhost:{}", self.server.port())]);
        command.args(["--controller-ca", &self.file("ca.pem"), "--token-file", &self.file("token")]);
        command.args(["--pins", &self.file("bpf/portway"), "--drain-timeout", "60s"]);
        // With what the DaemonSet gives it, and nothing beyond.
        let mut limited = Command::new("setpriv");
        limited.args(["--inh-caps=-all", "--bounding-set=-all,+bpf,+net_admin,+perfmon"]);
        limited.arg(command.get_program()).args(command.get_args()).stdin(std::process::Stdio::null());
        self.it.node.run(move || Portway::spawn(IpAddr::V4(Ipv4Addr::LOCALHOST), limited))
    }

    /// What a command of the agent prints.
    fn ask(&self, arguments: &[&str]) -> String {
        let mut command = command([&["agent"], arguments].concat());
        // As it is in the pod, where the DaemonSet's variables are.
        command.env("NODE_IP", "198.51.100.254");
        let output = self.it.node.run(move || command.output().unwrap());
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Publishes these endpoints, and waits until the agent has answered.
    fn lead_to(&self, endpoints: &[SocketAddr]) {
        let all = [(agents(), Arc::new(configuration(endpoints)))].into();
        let revision = self.publisher.publish(&all)[&agents()];
        eventually("the agent's answer", || {
            let told = self.publisher.acknowledgements();
            let told = told.borrow();
            told.gateways.get(&agents())?.proxies.get("agent")?.has_reached(revision).then_some(())
        });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.directory.path().join("bpf")).status();
    }
}

/// A TCP and a UDP listener of one Gateway.
fn configuration(endpoints: &[SocketAddr]) -> Configuration {
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
        let addresses = vec![ADDRESS.parse().unwrap()];
        let value = Exposure { listener: listener.clone(), gateway: gateway.clone(), addresses };
        configuration.exposures.insert(listener.clone(), Arc::new(value));
        let key = EndpointsKey { service: NamespacedName::new("web", "echo"), port, transport };
        let endpoint =
            |it: &SocketAddr| Endpoint { address: EndpointAddress::Socket(*it), state: EndpointState::Ready };
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

fn serve_all(it: &Network) {
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
        status.contains(&format!("web/edge/7000 at TCP {TCP}: by the kernel: endpoints see")),
        "{status}"
    );
    assert!(
        status.contains("attached to: ") && status.contains("addresses served: 2; endpoints: 2"),
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
    let told = cluster.ask(&["remove", "--pins", &cluster.file("bpf/portway")]);
    assert!(told.contains("removed"), "{told}");
    assert_eq!(it.programs_at("clients"), 0);
}
