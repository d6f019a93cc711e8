//! What the kernel forwards from a client to a pod has two peers: the Gateway that it came through, and the client's address.

use std::time::Duration;

use aya::programs::{SchedClassifier, TcAttachType};
use portway_config::NamespacedName;
use portway_ebpf::balancer::Balancer;
use portway_ebpf::policy::Outcome;
use portway_ebpf::service::{Backend, Endpoint, Reach, Service, ServiceAddress, Services, Transport};
use portway_ebpf::{Kernel, Node};
use serde_json::{Value, json};

use crate::host::Host;
use crate::peers::{Connection, Datagrams, IMPATIENCE, serve_tcp, serve_udp};
use crate::policed::{Policed, reaches};
use crate::topology::{NODE, small};
use crate::wiring::pod;

/// The listeners of two Gateways, of TCP and of UDP each. Both lead to the database.
const BY_A: [&str; 2] = ["192.0.2.1:80", "[2001:db8::1]:80"];
const BY_B: [&str; 2] = ["192.0.2.1:81", "[2001:db8::1]:81"];

struct Forwarding {
    it: Policed,
    /// While this is there, the programs are.
    _kernel: Kernel,
}

impl Forwarding {
    fn new() -> Self {
        let mut it = Policed::new(2, false);
        for (number, host) in it.pods.iter().enumerate() {
            for address in pod(number) {
                serve_tcp(host, address);
                serve_udp(host, address);
            }
        }
        it.add_gateway("a", "public");
        it.add_gateway("b", "private");
        let services = services(&it);
        let guard = it.guard();
        let kernel = it.node.run(move || {
            let node = Node { ipv4: NODE[0].parse().ok(), ipv6: NODE[1].parse().ok() };
            let mut kernel = Kernel::load(&small(), node).unwrap();
            kernel.come_after(guard.lock().unwrap().first_programs());
            ["clients", "pod0", "pod1"].iter().for_each(|interface| kernel.attach(interface).unwrap());
            let mut balancer = Balancer::new(Duration::from_secs(30));
            kernel.apply(&balancer.serve(&services, Duration::ZERO)).unwrap();
            kernel
        });
        it.put("deny", json!({"podSelector": {}}));
        Self { it, _kernel: kernel }
    }

    /// Admits peers to the database.
    fn admit(&mut self, peers: Value) {
        self.it
            .put("db", json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": peers}]}));
    }

    /// Whether a host reaches the database through `a`, through `b` and directly: in both families and by both protocols.
    fn ways(&self, host: &Host) -> [bool; 3] {
        let directly = pod(1).map(|it| it.to_string());
        [BY_A.map(str::to_owned), BY_B.map(str::to_owned), directly].map(|way| {
            let [first, ref others @ ..] = way
                .iter()
                .flat_map(|to| {
                    let udp = Datagrams::open(host, to).answers(IMPATIENCE);
                    [reaches(host, to.parse().unwrap()), udp]
                })
                .collect::<Vec<_>>()[..]
            else {
                unreachable!("there are two families")
            };
            assert!(others.iter().all(|it| *it == first), "{way:?}: {first} and {others:?}");
            first
        })
    }

    fn by_client(&self) -> [bool; 3] {
        self.ways(&self.it.client)
    }
}

fn services(it: &Policed) -> Services {
    let mut services = Services::new();
    for (gateway, listeners) in [("a", BY_A), ("b", BY_B)] {
        let gateway = it.numbers.of(&NamespacedName::new("edge", gateway));
        for (transport, address) in
            [Transport::Tcp, Transport::Udp].into_iter().flat_map(|it| listeners.map(|at| (it, at)))
        {
            let endpoints = pod(1).map(|address| Endpoint { address, reach: Reach::Forwarded, source: None });
            let backends = vec![Backend { weight: 1, endpoints: endpoints.to_vec() }];
            let at = ServiceAddress { transport, address: address.parse().unwrap() };
            services.insert(at, Service { backends, gateway, ..Service::default() });
        }
    }
    services
}

fn gateway(name: &str) -> Value {
    json!([{
        "namespaceSelector": {"matchLabels": {"team": "net"}},
        "podSelector": {"matchLabels": {"gateway": name}},
    }])
}

#[test]
fn a_policy_admits_one_gateway_and_denies_the_other() {
    let mut it = Forwarding::new();
    assert_eq!(it.by_client(), [false; 3]);
    it.admit(gateway("a"));
    assert_eq!(it.by_client(), [true, false, false]);
    it.admit(gateway("b"));
    assert_eq!(it.by_client(), [false, true, false]);
    it.admit(json!([{"namespaceSelector": {"matchLabels": {"team": "net"}}}]));
    assert_eq!(it.by_client(), [true, true, false]);
}

#[test]
fn a_clients_network_is_that_of_the_client_through_whichever_gateway() {
    let mut it = Forwarding::new();
    let block = |except: [&[&str]; 2]| {
        json!([
            {"ipBlock": {"cidr": "198.51.100.0/24", "except": except[0]}},
            {"ipBlock": {"cidr": "2001:db8:c::/64", "except": except[1]}},
        ])
    };
    it.admit(block([&[], &[]]));
    assert_eq!(it.by_client(), [true; 3]);
    it.admit(block([&["198.51.100.7/32"], &["2001:db8:c::/120"]]));
    assert_eq!(it.by_client(), [false; 3]);
    it.admit(block([&["198.51.100.8/29"], &["2001:db8:c::8/125"]]));
    assert_eq!(it.by_client(), [true; 3]);
}

#[test]
fn a_client_that_is_a_pod_is_an_address_through_a_gateway() {
    let mut it = Forwarding::new();
    it.admit(json!([{"podSelector": {"matchLabels": {"app": "web"}}}]));
    assert_eq!(it.ways(&it.it.pods[0]), [false, false, true]);
    it.admit(gateway("a"));
    assert_eq!(it.ways(&it.it.pods[0]), [true, false, false]);
    it.admit(json!([{"ipBlock": {"cidr": "10.0.0.0/24"}}, {"ipBlock": {"cidr": "fd00:0::/64"}}]));
    assert_eq!(it.ways(&it.it.pods[0]), [true; 3]);
}

#[test]
fn a_pod_reaches_itself_through_a_gateway() {
    let it = Forwarding::new();
    // Nobody may send the database anything but it itself.
    let through = it.ways(&it.it.pods[1]);
    assert_eq!(through, [true; 3]);
}

#[test]
fn flows_are_judged_again_when_policies_or_the_labels_of_the_gateway_change() {
    let mut it = Forwarding::new();
    it.admit(json!([{
        "namespaceSelector": {},
        "podSelector": {"matchLabels": {"tier": "public"}},
    }]));
    let mut connections: Vec<_> = BY_A.iter().map(|to| Connection::open(&it.it.client, to)).collect();
    connections.iter_mut().for_each(|it| it.exchange(100_000));
    let sockets = BY_A.map(|to| Datagrams::open(&it.it.client, to));
    sockets.iter().for_each(|it| assert!(it.answers(Duration::from_secs(10))));

    it.it.add_gateway("a", "private");
    it.it.enforce();
    connections.iter_mut().for_each(|it| assert!(!it.answers(IMPATIENCE), "its labels are others"));
    sockets.iter().for_each(|it| assert!(!it.answers(IMPATIENCE)));
    it.it.add_gateway("a", "public");
    it.it.enforce();
    connections.iter_mut().for_each(|it| assert!(it.answers(Duration::from_secs(20)), "as they were"));
    sockets.iter().for_each(|it| assert!(it.answers(Duration::from_secs(10))));

    // Others, to which no answer is on its way.
    let mut connections: Vec<_> = BY_A.iter().map(|to| Connection::open(&it.it.client, to)).collect();
    it.admit(gateway("b"));
    connections.iter_mut().for_each(|it| assert!(!it.answers(IMPATIENCE), "the policy is another"));
    assert_eq!(it.by_client(), [false, true, false]);
}

#[test]
fn what_is_denied_or_rehearsed_names_the_gateway() {
    let mut it = Forwarding::new();
    it.admit(json!([{}]));
    it.it.facts.policies.remove(&crate::policed::name("db"));
    it.it.facts.policies.remove(&crate::policed::name("deny"));
    let admits_a = json!({"podSelector": {}, "ingress": [{"from": gateway("a")}]});
    it.it.put_rehearsed("rehearsed", admits_a.clone(), true);
    it.it.denials();
    for to in [BY_A[0], BY_B[0]] {
        Connection::open(&it.it.client, to).close();
    }
    let told: Vec<_> = it.it.denials().iter().map(ToString::to_string).collect();
    let [line] = &told[..] else { panic!("{told:#?}") };
    assert!(
        line.starts_with("would be denied by NetworkPolicy shop/rehearsed, ingress of the pod shop/db: TCP ")
            && line.ends_with("10.0.1.2:8080, through the Gateway edge/b"),
        "{line}"
    );
    assert_eq!(it.it.counted("rehearsed", true, Outcome::Rehearsed), 1);

    it.it.put_rehearsed("rehearsed", admits_a, false);
    it.it.denials();
    for to in [BY_A[0], BY_B[0]] {
        reaches(&it.it.client, to.parse().unwrap());
    }
    let told: Vec<_> = it.it.denials().iter().map(ToString::to_string).collect();
    assert!(told.iter().all(|it| it.ends_with(", through the Gateway edge/b")), "{told:#?}");
    assert_eq!(it.it.counted("rehearsed", true, Outcome::Denied), 1, "as many as were rehearsed");
}

#[test]
fn nobody_can_say_of_his_packets_that_they_came_through_a_gateway() {
    let mut it = Forwarding::new();
    it.admit(gateway("a"));
    assert_eq!(it.it.numbers.of(&NamespacedName::new("edge", "a")), 1, "the number that is forged");
    for host in [&it.it.client, &it.it.pods[0]] {
        let forging = host.run(|| {
            let mut forging = crate::tagging::load();
            let program: &mut SchedClassifier = forging.program_mut("forge").unwrap().try_into().unwrap();
            program.load().unwrap();
            program.attach("eth0", TcAttachType::Egress).unwrap();
            forging
        });
        assert_eq!(it.ways(host), [true, false, false]);
        drop(forging);
    }
}
