//! What the kernel serves, and what it leaves to the proxy.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::network::{CLIENT, Network, ROUTED_BACK, TCP, UDP};
use crate::peers::{Connection, Datagrams, serve_tcp, serve_udp};
use crate::running::eventually;
use crate::wiring::pod;

const MEGABYTE: usize = 1 << 20;

/// Servers in both pods, in both families.
fn serve(it: &Network) {
    for (number, host) in it.pods.iter().enumerate() {
        for address in pod(number) {
            serve_tcp(host, address);
            serve_udp(host, address);
        }
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn tcp_and_udp_go_by_the_kernel_and_the_endpoint_sees_the_client() {
    let it = Network::new();
    serve(&it);
    let portway = it.run(&[], &ROUTED_BACK);
    it.await_path("kernel", "client_address_kept");
    for family in 0..2 {
        let mut connection = Connection::open(&it.client, TCP[family]);
        connection.exchange(MEGABYTE);
        assert_eq!(connection.told.server, pod(0)[family]);
        assert_eq!(connection.told.client.ip(), address(CLIENT[family]));
        let socket = Datagrams::open(&it.client, UDP[family]);
        let told = socket.exchange(1200);
        assert_eq!((told.server, told.client), (pod(0)[family], socket.address));
    }
    let of = |listener| format!("gateway=\"web/edge\",listener=\"web/edge/{listener}\"");
    for listener in ["stream", "packets"] {
        assert_eq!(it.metric(&format!("portway_kernel_flows_total{{{}}}", of(listener))), 2, "{listener}");
    }
    let bytes = format!("portway_kernel_bytes_total{{{},direction=\"from_client\"}}", of("stream"));
    assert!(it.metric(&bytes) > 2 << 20);
    assert!(!portway.stdout().contains("\"listener\""), "the proxy has seen none: {}", portway.stdout());
    assert_eq!(it.programs_at("clients"), 2);
}

#[test]
fn an_endpoint_whose_replies_would_go_elsewhere_sees_the_node() {
    let it = Network::new();
    serve(&it);
    let _portway = it.run(&[], &["--ebpf", "on"]);
    it.await_path("kernel", "client_address_hidden");
    for (family, node) in ["10.0.0.1", "fd00:0::1"].into_iter().enumerate() {
        let mut connection = Connection::open(&it.client, TCP[family]);
        connection.exchange(MEGABYTE);
        assert_eq!(connection.told.client.ip(), address(node), "its address on the way to the pod");
        assert!(connection.told.client.port() >= 61_000);
    }
}

#[test]
fn new_connections_follow_the_manifests_and_established_ones_stay() {
    let it = Network::new();
    serve(&it);
    let _portway = it.run(&[], &ROUTED_BACK);
    it.await_path("kernel", "client_address_kept");
    let mut before = Connection::open(&it.client, TCP[0]);
    assert_eq!(before.told.server, pod(0)[0]);
    it.lead_to(&pod(1));
    eventually("a connection to the other pod", || {
        (Connection::open(&it.client, TCP[0]).told.server == pod(1)[0]).then_some(())
    });
    eventually("datagrams to the other pod", || {
        (Datagrams::open(&it.client, UDP[1]).exchange(100).server == pod(1)[1]).then_some(())
    });
    before.exchange(MEGABYTE);
    before.close();
}

#[test]
fn the_end_waits_for_connections_and_leaves_nothing_behind() {
    let it = Network::new();
    serve(&it);
    let portway = it.run(&[], &ROUTED_BACK);
    it.await_path("kernel", "client_address_kept");
    let mut connection = Connection::open(&it.client, TCP[0]);
    connection.exchange(100);
    portway.signal("TERM");
    std::thread::sleep(Duration::from_secs(2));
    connection.exchange(MEGABYTE);
    connection.close();
    let (status, _, told) = portway.wait();
    assert_eq!(status, Some(0), "{told}");
    assert_eq!(it.programs_at("clients") + it.programs_at("pod0"), 0);
    assert_eq!(Connection::refusal(&it.client, TCP[0]), std::io::ErrorKind::ConnectionRefused);
}

/// It is root, but for the capabilities.
#[test]
fn without_the_right_the_proxy_serves_and_says_so_once() {
    let it = Network::new();
    serve(&it);
    let without = "--bounding-set=-sys_admin,-net_admin,-bpf,-perfmon";
    let portway = it.run(&["setpriv", without], &[]);
    it.await_path("proxy", "not_permitted");
    let mut connection = Connection::open(&it.client, TCP[0]);
    connection.exchange(MEGABYTE);
    let from: SocketAddr = connection.told.client;
    assert_eq!(from.ip(), address("10.0.0.1"), "the proxy's own connection");
    assert_eq!(Datagrams::open(&it.client, UDP[0]).exchange(100).server, pod(0)[0]);
    assert_eq!(it.metric("portway_kernel_flows_total"), 0);
    let told = portway.stderr();
    let lines: Vec<_> = told.lines().filter(|it| it.contains("CAP_NET_ADMIN")).collect();
    assert_eq!(lines.len(), 2, "for each listener one: {told}");
}

#[test]
fn on_does_not_start_without_the_right() {
    let it = Network::new();
    let without = "--bounding-set=-sys_admin,-net_admin,-bpf,-perfmon";
    let mut command = std::process::Command::new("setpriv");
    let objects = it.manifests();
    command.arg(without).arg(env!("CARGO_BIN_EXE_portway")).args(["run", &objects, "--ebpf", "on"]);
    command.args(["--bind", "198.51.100.254", "--admin", "127.0.0.1:9900"]);
    let output = it.node.run(move || command.output().unwrap());
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("--ebpf on: ") && told.contains("CAP_BPF"), "{told}");
}

#[test]
fn off_means_off() {
    let it = Network::new();
    serve(&it);
    let _portway = it.run(&[], &["--ebpf", "off"]);
    assert_eq!(it.paths(), []);
    Connection::open(&it.client, TCP[0]).exchange(MEGABYTE);
    assert_eq!(it.programs_at("clients"), 0);
}
