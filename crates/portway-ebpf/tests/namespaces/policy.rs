//! Real connections between pods, their node and the outside, by what policies allow.

use std::net::SocketAddr;
use std::time::Duration;

use portway_ebpf::balancer::Balancer;
use portway_ebpf::policy::{Outcome, PolicyDrop};
use portway_ebpf::service::{Backend, Endpoint, Reach, Service, ServiceAddress, Services, Transport};
use portway_ebpf::{Kernel, Node};
use serde_json::json;

use crate::host::Host;
use crate::peers::{Connection, Datagrams, IMPATIENCE, serve_tcp, serve_udp};
use crate::policed::{Policed, SERVICE, reaches};
use crate::topology::{CLIENT, LISTENER, NODE, small};
use crate::wiring::pod;

fn serve(it: &Policed) {
    for (number, host) in it.pods.iter().enumerate() {
        pod(number).into_iter().for_each(|address| serve_tcp(host, address));
    }
}

/// Whether each of these reaches the web in both families: the database, the client, and the node.
fn who_reaches_the_web(it: &Policed) -> [bool; 3] {
    [&it.pods[1], &it.client, &it.node].map(|host| {
        let both = pod(0).map(|address| reaches(host, address));
        assert_eq!(both[0], both[1], "both families");
        both[0]
    })
}

#[test]
fn by_default_all_is_open_then_denied_then_admitted_by_identity() {
    let mut it = Policed::new(2, false);
    serve(&it);
    assert_eq!(who_reaches_the_web(&it), [true; 3]);
    it.put("deny", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    assert_eq!(who_reaches_the_web(&it), [false, false, true], "but for the node");
    it.put(
        "db",
        json!({
            "podSelector": {"matchLabels": {"app": "db"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "web"}}}]}],
        }),
    );
    assert_eq!(who_reaches_the_web(&it), [false, false, true], "it may send, but the web may not get it");
    it.put(
        "web",
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{
                "from": [{"podSelector": {"matchLabels": {"app": "db"}}}],
                "ports": [{"port": 8080}],
            }],
        }),
    );
    assert_eq!(who_reaches_the_web(&it), [true, false, true]);
    for address in pod(0) {
        let mut connection = Connection::open(&it.pods[1], &address.to_string());
        connection.exchange(1 << 20);
        connection.close();
    }
    // Nobody may go the other way.
    assert!(!reaches(&it.pods[0], pod(1)[0]));
    assert!(it.counted("deny", true, Outcome::Denied) > 0);
    let denials: Vec<_> = it.denials().iter().map(ToString::to_string).collect();
    let client = CLIENT[0];
    assert!(
        denials
            .iter()
            .any(|it| it.starts_with("denied by NetworkPolicy shop/deny, ingress of the pod shop/web: TCP ")
                && it.contains(client)
                && it.ends_with("10.0.0.2:8080")),
        "{denials:#?}"
    );
}

#[test]
fn networks_with_exceptions_and_ranges_of_ports() {
    let mut it = Policed::new(2, false);
    serve(&it);
    let from = |cidr: &str, except: &[&str], first: u16, last: u16| {
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{
                "from": [{"ipBlock": {"cidr": cidr, "except": except}}],
                "ports": [{"protocol": "TCP", "port": first, "endPort": last}],
            }],
        })
    };
    let address = pod(0)[0];
    for (cidr, except, first, last, expected) in [
        ("198.51.100.0/24", &[][..], 8080, 8080, true),
        ("198.51.100.0/24", &["198.51.100.0/29"][..], 8080, 8080, false),
        ("198.51.100.0/24", &["198.51.100.8/29"][..], 8000, 8079, false),
        ("198.51.100.0/24", &["198.51.100.8/29"][..], 8000, 8080, true),
        ("203.0.113.0/24", &[][..], 1, 65535, false),
    ] {
        it.put("web", from(cidr, except, first, last));
        assert_eq!(reaches(&it.client, address), expected, "{cidr} {except:?} {first}-{last}");
    }
}

#[test]
fn a_change_of_policy_ends_what_was_allowed_before() {
    let mut it = Policed::new(2, false);
    serve(&it);
    pod(0).into_iter().for_each(|address| serve_udp(&it.pods[0], address));
    let mut connections: Vec<_> =
        pod(0).map(|address| Connection::open(&it.client, &address.to_string())).into();
    connections.iter_mut().for_each(|connection| connection.exchange(1000));
    let socket = Datagrams::open(&it.client, &pod(0)[0].to_string());
    socket.exchange(100);
    it.put("other", json!({"podSelector": {"matchLabels": {"app": "db"}}}));
    connections.iter_mut().for_each(|connection| connection.exchange(1000));
    it.put("deny", json!({"podSelector": {"matchLabels": {"app": "web"}}}));
    for connection in &mut connections {
        assert!(!connection.answers(IMPATIENCE));
    }
    // Allowed again, they go on where they were.
    it.put("deny", json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{}]}));
    for connection in &mut connections {
        assert!(connection.answers(Duration::from_secs(10)));
    }
}

#[test]
fn without_user_space_what_it_wrote_last_is_enforced() {
    let mut it = Policed::new(3, true);
    serve(&it);
    it.put(
        "web",
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "db"}}}]}],
        }),
    );
    let mut connection = Connection::open(&it.pods[1], &pod(0)[0].to_string());
    connection.exchange(1000);
    for round in 0..3 {
        it.kill();
        assert_eq!(who_reaches_the_web(&it), [true, false, true], "round {round}");
        connection.exchange(1000);
        it.start();
        assert_eq!(
            who_reaches_the_web(&it),
            [true, false, true],
            "before it is told anything, round {round}"
        );
        it.look();
        connection.exchange(1000);
        it.enforce();
        assert_eq!(who_reaches_the_web(&it), [true, false, true]);
        connection.exchange(1000);
    }
    // Pod 2 has been there all the time, and nobody has told of it.
    it.kill();
    assert!(!reaches(&it.pods[2], pod(1)[0]), "the database is open to all that are known");
}

#[test]
fn a_pod_that_is_not_known_reaches_its_node_alone() {
    let mut it = Policed::new(2, false);
    serve(&it);
    // Its interface has just appeared, and no program is there.
    let stranger = Host::new("stranger");
    it.node.join(("pod9", &["10.0.9.1/24"]), &stranger, ("eth0", &["10.0.9.2/24"]));
    stranger.ip("route add default via 10.0.9.1");
    let (own, outside): (SocketAddr, SocketAddr) =
        ("10.0.9.2:8080".parse().unwrap(), format!("{}:9000", CLIENT[0]).parse().unwrap());
    let on_node: SocketAddr = format!("{}:9001", NODE[0]).parse().unwrap();
    serve_tcp(&stranger, own);
    serve_tcp(&it.client, outside);
    serve_tcp(&it.node, on_node);
    let reached = |it: &Policed| {
        let by_it = [pod(0)[0], outside, on_node].map(|address| reaches(&stranger, address));
        let it_by = [&it.pods[0], &it.client, &it.node].map(|host| reaches(host, own));
        (by_it, it_by)
    };
    let nodes_alone = [false, false, true];
    assert_eq!(reached(&it), (nodes_alone, nodes_alone), "no program is at its interface");
    it.look();
    assert_eq!(reached(&it), (nodes_alone, nodes_alone), "the programs are, and no entry");
    it.add_pod_at("cache", vec![own.ip()]);
    it.enforce();
    assert_eq!(reached(&it), ([true; 3], [true; 3]));
    let drops: Vec<_> = it.drops().into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(drops, [PolicyDrop::PodNotKnown, PolicyDrop::InterfaceNotKnown]);
}

#[test]
fn the_next_pod_at_an_address_has_nothing_of_the_former_ones_rights() {
    let mut it = Policed::new(2, false);
    serve(&it);
    it.put(
        "web",
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "db"}}}]}],
        }),
    );
    let web = pod(0)[0];
    assert!(reaches(&it.pods[1], web));
    // The database's pod goes, and another gets its address, before anybody is told.
    it.node.ip("link del pod1");
    let next = Host::new("next");
    let again = |next: &Host| {
        it.node.join(("pod1", &["10.0.1.1/24"]), next, ("eth0", &["10.0.1.2/24"]));
        next.ip("route add default via 10.0.1.1");
    };
    again(&next);
    assert!(!reaches(&next, web), "no program is at its interface");
    it.look();
    assert!(!reaches(&next, web));
    assert!(it.problem("db").unwrap().contains("another pod's"), "{:?}", it.problem("db"));
    // It is told of, beside the one that has gone, and then alone.
    it.add_pod_at("cache", vec![pod(1)[0].ip()]);
    it.enforce();
    assert!(!reaches(&next, web));
    it.facts.pods.remove(&crate::policed::name("db"));
    it.enforce();
    assert!(!reaches(&next, web));
    assert_eq!(it.problem("cache"), None);
    it.put(
        "web",
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "cache"}}}]}],
        }),
    );
    assert!(reaches(&next, web), "its own rights");
}

#[test]
fn what_is_rehearsed_is_counted_as_it_is_denied_afterwards() {
    let spec = || {
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "db"}}}]}],
        })
    };
    let mut it = Policed::new(2, false);
    serve(&it);
    it.put_rehearsed("web", spec(), true);
    // To the last packet: what comes after the change of the policy would be counted again.
    for (host, address) in pod(0).into_iter().flat_map(|it| [(0, it), (1, it)]) {
        let host = [&it.pods[1], &it.client][host];
        Connection::open(host, &address.to_string()).close();
    }
    let rehearsed = it.counted("web", true, Outcome::Rehearsed);
    assert_eq!((rehearsed, it.counted("web", true, Outcome::Denied)), (2, 0), "the client, in both families");
    it.put_rehearsed("web", spec(), false);
    assert_eq!(who_reaches_the_web(&it), [true, false, true]);
    assert_eq!(it.counted("web", true, Outcome::Denied), rehearsed);
    assert_eq!(it.counted("web", true, Outcome::Rehearsed), rehearsed);
}

/// As kube-proxy leads a Service's address to a pod, and a CNI hides pods behind their node.
fn translate(node: &Host, rules: &str) {
    let rules = format!(
        "table ip t {{ chain p {{ type nat hook prerouting priority -100; {rules} }}\n\
         chain q {{ type nat hook postrouting priority 100; oifname \"clients\" ip saddr 10.0.0.0/16 masquerade; }}\n}}"
    );
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), rules).unwrap();
    let file = path.path().to_owned();
    node.run(move || {
        let output = std::process::Command::new("nft").arg("-f").arg(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}

#[test]
fn through_a_service_policies_speak_of_the_pod_behind_it() {
    let mut it = Policed::new(2, false);
    serve(&it);
    let outside: SocketAddr = format!("{}:9000", CLIENT[0]).parse().unwrap();
    serve_tcp(&it.client, outside);
    translate(
        &it.node,
        &format!(
            "ip daddr {SERVICE} tcp dport 80 dnat to {};\n ip daddr {SERVICE} tcp dport 81 dnat to {outside};",
            pod(1)[0]
        ),
    );
    let service: SocketAddr = format!("{SERVICE}:80").parse().unwrap();
    let leads_out: SocketAddr = format!("{SERVICE}:81").parse().unwrap();
    let egress = |peer: serde_json::Value| json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [peer]}]});
    assert!(reaches(&it.pods[0], service) && reaches(&it.pods[0], leads_out));
    it.put("all", egress(json!({"podSelector": {"matchLabels": {"app": "db"}}})));
    // The database may only send to itself: what it answers goes through, with the Service's address.
    let mut connection = Connection::open(&it.pods[0], &service.to_string());
    assert_eq!(connection.told.server, pod(1)[0]);
    connection.exchange(1 << 20);
    assert!(!reaches(&it.pods[0], leads_out), "hidden behind the node's address");
    it.put("all", egress(json!({"podSelector": {"matchLabels": {"app": "web"}}})));
    assert!(!connection.answers(IMPATIENCE), "cut");
    assert!(!reaches(&it.pods[0], service));
    it.put("all", egress(json!({"ipBlock": {"cidr": "198.51.100.0/24"}})));
    assert!(!reaches(&it.pods[0], service));
    Connection::open(&it.pods[0], &leads_out.to_string()).exchange(1 << 20);
    assert!(reaches(&it.pods[0], outside), "hidden behind the node's address, without a Service");
}

#[test]
fn what_the_kernel_balances_is_judged_by_client_and_pod() {
    let mut it = Policed::new(2, false);
    serve(&it);
    let guard = it.guard();
    let kernel = it.node.run(move || {
        let node = Node { ipv4: NODE[0].parse().ok(), ipv6: NODE[1].parse().ok() };
        let mut kernel = Kernel::load(&small(), node).unwrap();
        kernel.come_after(guard.lock().unwrap().first_programs());
        ["clients", "pod0", "pod1"].iter().for_each(|interface| kernel.attach(interface).unwrap());
        // To the database, from the client or the web.
        let mut balancer = Balancer::new(Duration::from_secs(30));
        let endpoint = |address| Endpoint { address, reach: Reach::Forwarded, source: None };
        let endpoints = pod(1).map(endpoint).to_vec();
        let service = Service { backends: vec![Backend { weight: 1, endpoints }], ..Service::default() };
        let at = |it: &str| ServiceAddress { transport: Transport::Tcp, address: it.parse().unwrap() };
        let services: Services = LISTENER.map(|it| (at(it), service.clone())).into();
        kernel.apply(&balancer.serve(&services, Duration::ZERO)).unwrap();
        kernel
    });
    let who = |it: &Policed| {
        [&it.client, &it.pods[0]].map(|host| {
            let both = LISTENER.map(|address| reaches(host, address.parse().unwrap()));
            assert_eq!(both[0], both[1], "both families");
            both[0]
        })
    };
    assert_eq!(who(&it), [true; 2]);
    it.put("deny", json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    assert_eq!(who(&it), [false; 2]);
    it.put(
        "db",
        json!({
            "podSelector": {"matchLabels": {"app": "db"}},
            "ingress": [{"from": [
                {"ipBlock": {"cidr": "198.51.100.0/24"}}, {"ipBlock": {"cidr": "2001:db8:c::/64"}},
            ]}],
        }),
    );
    assert_eq!(who(&it), [true, false]);
    it.put(
        "db",
        json!({
            "podSelector": {"matchLabels": {"app": "db"}},
            "ingress": [{"from": [{"podSelector": {}}]}],
        }),
    );
    assert_eq!(who(&it), [false; 2], "the web may not send");
    it.put(
        "web",
        json!({
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}],
        }),
    );
    assert_eq!(who(&it), [false, true]);
    for listener in LISTENER {
        Connection::open(&it.pods[0], listener).exchange(1 << 20);
    }
    drop(kernel);
}
