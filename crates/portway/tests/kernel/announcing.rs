//! Two nodes whose agents announce a Gateway's address to a client on the same segment.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::agent::configuration;
use crate::controller::{Controller, ask};
use crate::host::Host;
use crate::peers::{Connection, Datagrams, serve_tcp, serve_udp};
use crate::running::eventually;
use crate::running::portway::Portway;

/// In the network of the segment, and no machine's own.
const ADDRESS: &str = "198.51.100.50";
const TCP: &str = "198.51.100.50:7000";
const UDP: &str = "198.51.100.50:7001";

/// For a take-over: a second, and as much again for a machine that has other things to do.
const TAKE_OVER: Duration = Duration::from_secs(2);

struct Node {
    host: Host,
    /// It lives as long as this does.
    _pod: Host,
    controller: Controller,
    name: &'static str,
    address: String,
    agent: Option<Portway>,
}

impl Node {
    /// A node at the client's bridge, with a pod.
    fn new(client: &Host, number: u8) -> Self {
        let name = ["node-0", "node-1", "node-2"][usize::from(number)];
        let (host, pod) = (Host::new(name), Host::new("pod"));
        let address = format!("198.51.100.{number}");
        client.join((name, &[]), &host, ("eth0", &[&format!("{address}/24")]));
        client.ip(&format!("link set {name} master bridge"));
        let (here, there) = (format!("10.0.{number}.1/24"), format!("10.0.{number}.2/24"));
        host.join(("pod", &[&here]), &pod, ("eth0", &[&there]));
        pod.ip(&format!("route add default via 10.0.{number}.1"));
        host.set("ipv4/ip_forward", "1");
        let other = 3 - number;
        host.ip(&format!("route add 10.0.{other}.0/24 via 198.51.100.{other}"));
        let controller = Controller::on(&host);
        serve_tcp(&pod, endpoint(number));
        serve_udp(&pod, endpoint(number));
        Self { host, _pod: pod, controller, name, address, agent: None }
    }

    /// Starts its agent, which serves by these endpoints.
    fn start(&mut self, endpoints: &[SocketAddr]) {
        let options = ["--node-address", &self.address, "--node-name", self.name];
        self.agent = Some(self.controller.agent(&self.host, &options));
        self.controller.publish(configuration(ADDRESS, endpoints));
    }

    fn end(&mut self, signal: &str) {
        let agent = self.agent.take().unwrap();
        agent.signal(signal);
        agent.wait();
    }

    /// Who announces the address, by what its agent knows.
    fn knows(&self, holder: &str) -> bool {
        let status = ask(&self.host, &["status"]);
        status.contains(&format!("{ADDRESS}: ")) && status.contains(&format!("node, {holder};"))
            || status.contains(&format!("{ADDRESS}: the node {holder};"))
    }
}

fn endpoint(number: u8) -> SocketAddr {
    format!("10.0.{number}.2:8080").parse().unwrap()
}

struct Segment {
    client: Host,
    nodes: [Node; 2],
}

impl Segment {
    /// Both agents run, and one of them announces the address.
    fn new() -> Self {
        let client = Host::new("client");
        client.ip("link add bridge type bridge");
        client.ip("addr add 198.51.100.7/24 dev bridge");
        client.ip("link set bridge up");
        let mut nodes = [1, 2].map(|number| Node::new(&client, number));
        nodes.iter_mut().for_each(|it| it.start(&[endpoint(1), endpoint(2)]));
        let it = Self { client, nodes };
        it.holder();
        it
    }

    /// The one node that announces the address, by what both know.
    fn holder(&self) -> usize {
        eventually("one holder", || {
            let nodes = self.nodes.iter().filter(|it| it.agent.is_some()).collect::<Vec<_>>();
            (0..2).find(|holder| nodes.iter().all(|it| it.knows(self.nodes[*holder].name)))
        })
    }

    /// For how long nothing comes back, from the moment that something is done.
    fn pause_of(&self, what: impl FnOnce()) -> Duration {
        let socket = self.client.run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect(UDP).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            socket
        });
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        what();
        let began = Instant::now();
        while began.elapsed() < TAKE_OVER + Duration::from_secs(1) {
            let _ = socket.send(b"?");
            if socket.recv(&mut [0; 64]).is_ok() {
                longest = longest.max(last.elapsed());
                last = Instant::now();
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        longest.max(last.elapsed())
    }
}

#[test]
fn a_node_that_dies_is_replaced_within_a_second() {
    let segment = Segment::new();
    let holder = segment.holder();
    let name = segment.nodes[holder].name;
    // Its pod is behind it, so what is sent there is lost; the other's is not.
    let other = 1 - holder;
    let left = [endpoint(u8::try_from(other).unwrap() + 1)];
    segment.nodes.iter().for_each(|it| it.controller.publish(configuration(ADDRESS, &left)));
    let pause = segment.pause_of(|| segment.client.ip(&format!("link set {name} down")));
    assert!(pause < TAKE_OVER, "{pause:?}");
    eventually("the other node", || segment.nodes[other].knows(segment.nodes[other].name).then_some(()));
    Connection::open(&segment.client, TCP).exchange(1 << 16);

    segment.client.ip(&format!("link set {name} up"));
    assert_eq!(segment.holder(), other, "nothing moves without need");
}

#[test]
fn an_agent_that_is_killed_is_replaced_each_time() {
    let mut segment = Segment::new();
    for _ in 0..3 {
        let holder = segment.holder();
        let mut agent = segment.nodes[holder].agent.take();
        let pause = segment.pause_of(|| {
            let agent = agent.take().unwrap();
            agent.signal("KILL");
            agent.wait();
        });
        assert!(pause < TAKE_OVER, "{pause:?}");
        assert_eq!(segment.holder(), 1 - holder);
        let announced = || ask(&segment.nodes[1 - holder].host, &["status"]);
        assert!(announced().contains("this node"), "{}", announced());
        segment.nodes[holder].start(&[endpoint(1), endpoint(2)]);
        assert_eq!(segment.holder(), 1 - holder);
    }
    assert_eq!(Datagrams::open(&segment.client, UDP).exchange(100).server.port(), 8080);
}

#[test]
fn an_agent_that_ends_hands_over() {
    let mut segment = Segment::new();
    let holder = segment.holder();
    let began = Instant::now();
    segment.nodes[holder].end("TERM");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}: nobody took it");
    assert_eq!(segment.holder(), 1 - holder);
    Connection::open(&segment.client, TCP).exchange(1 << 16);
    // The last one leaves it to its kernel.
    segment.nodes[1 - holder].end("TERM");
    Connection::open(&segment.client, TCP).exchange(1 << 16);
}
