//! TCP, from client to pod and back.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use portway_ebpf::service::{Reach, Transport};
use portway_ebpf::{DropReason, Kernel, Node};

use crate::host::Host;
use crate::peers::{Connection, IMPATIENCE, serve_tcp};
use crate::topology::{CLIENT, LISTENER, NODE, Topology};
use crate::wiring::pod;

const MEGABYTE: usize = 1 << 20;

#[test]
fn to_a_pod_and_back_with_the_clients_address_kept() {
    let mut it = Topology::new(1);
    it.serve(&pod(0), Reach::Forwarded, 0);
    for (family, address) in pod(0).into_iter().enumerate() {
        serve_tcp(&it.pods[0], address);
        let mut connection = Connection::open(&it.client, LISTENER[family]);
        assert_eq!(connection.told.server, address);
        assert_eq!(connection.told.client, connection.stream.local_addr().unwrap());
        assert_eq!(connection.told.client.ip().to_string(), CLIENT[family]);
        connection.exchange(4 * MEGABYTE);
        connection.close();
        let counters = it.counters(Transport::Tcp, family);
        assert_eq!(counters.flows, 1);
        let bytes = [counters.bytes_from_client, counters.bytes_from_endpoint];
        assert!(bytes.iter().all(|it| *it > 4 << 20), "{counters:?}");
    }
    assert_eq!(it.drops(), []);
}

#[test]
fn established_connections_go_on_while_their_endpoint_drains() {
    let mut it = Topology::new(2);
    for number in 0..2 {
        pod(number).into_iter().for_each(|address| serve_tcp(&it.pods[number], address));
    }
    for (family, listener) in LISTENER.into_iter().enumerate() {
        it.serve(&pod(0), Reach::Forwarded, 0);
        let mut old = Connection::open(&it.client, listener);
        it.serve(&pod(1), Reach::Forwarded, 10);
        for _ in 0..20 {
            let new = Connection::open(&it.client, listener);
            assert_eq!(new.told.server, pod(1)[family]);
        }
        assert_eq!(old.told.server, pod(0)[family]);
        old.exchange(MEGABYTE);
        it.serve(&pod(1), Reach::Forwarded, 40);
        assert!(!old.answers(IMPATIENCE), "its time is over");
    }
    let drops = it.drops();
    assert!(matches!(drops[..], [(DropReason::EndpointGone, 1..)]), "{drops:?}");
}

#[test]
fn both_pods_get_connections() {
    let mut it = Topology::new(2);
    it.serve(&[pod(0)[0], pod(1)[0]], Reach::Forwarded, 0);
    for number in 0..2 {
        serve_tcp(&it.pods[number], pod(number)[0]);
    }
    let servers: BTreeSet<_> =
        (0..40).map(|_| Connection::open(&it.client, LISTENER[0]).told.server).collect();
    assert_eq!(servers, BTreeSet::from([pod(0)[0], pod(1)[0]]));
}

#[test]
fn a_pod_reaches_another_and_itself_by_the_listener() {
    let mut it = Topology::new(2);
    for (family, address) in pod(0).into_iter().enumerate() {
        serve_tcp(&it.pods[0], address);
        it.serve(&[address], Reach::Forwarded, 0);
        let mut of_another = Connection::open(&it.pods[1], LISTENER[family]);
        assert_eq!(of_another.told.client.ip(), pod(1)[family].ip(), "its address is kept");
        of_another.exchange(MEGABYTE);
        let mut of_itself = Connection::open(&it.pods[0], LISTENER[family]);
        assert_eq!(of_itself.told.client.ip().to_string(), NODE[family], "it must not answer itself");
        of_itself.exchange(MEGABYTE);
    }
    assert_eq!(it.drops(), []);
}

#[test]
fn without_an_endpoint_connections_are_refused_at_once() {
    let mut it = Topology::new(0);
    it.serve(&[], Reach::Forwarded, 0);
    for listener in LISTENER {
        assert_eq!(Connection::refusal(&it.client, listener), ErrorKind::ConnectionRefused);
    }
}

/// The endpoint's way to the client leads elsewhere.
#[test]
fn masqueraded_connections_come_back_by_the_node() {
    let mut it = Topology::new(1);
    it.pods[0].ip("route del default");
    it.pods[0].ip("-6 route del default");
    it.pods[0].ip("route add 198.51.100.254/32 via 10.0.0.1");
    it.pods[0].ip("route add 2001:db8:c::fe/128 via fd00:0::1");
    it.serve(&pod(0), Reach::Masqueraded, 0);
    for (family, address) in pod(0).into_iter().enumerate() {
        serve_tcp(&it.pods[0], address);
        let mut connection = Connection::open(&it.client, LISTENER[family]);
        assert_eq!(connection.told.client.ip().to_string(), NODE[family]);
        assert!(connection.told.client.port() >= 61_000);
        connection.exchange(MEGABYTE);
        connection.close();
    }
    assert_eq!(it.drops(), []);
}

#[test]
fn servers_on_the_node_itself_see_the_clients_address() {
    let mut it = Topology::new(0);
    let servers = NODE.map(|it| std::net::SocketAddr::new(it.parse().unwrap(), 8080));
    it.serve(&servers, Reach::OnNode, 0);
    for (family, address) in servers.into_iter().enumerate() {
        serve_tcp(&it.node, address);
        let mut connection = Connection::open(&it.client, LISTENER[family]);
        assert_eq!(connection.told.client, connection.stream.local_addr().unwrap());
        connection.exchange(MEGABYTE);
        connection.close();
    }
    assert_eq!(it.drops(), []);
}

/// The node's own link to the pod takes 1300 bytes at once, and the pod says that it takes more.
#[test]
fn the_node_tells_what_fits_its_own_link() {
    let mut it = Topology::new(1);
    it.node.ip("link set pod0 mtu 1300");
    it.pods[0].ip("route change default via 10.0.0.1 mtu 1300 advmss 1460");
    it.pods[0].ip("route change default via fd00:0::1 mtu 1300 advmss 1440");
    it.serve(&pod(0), Reach::Forwarded, 0);
    for (family, address) in pod(0).into_iter().enumerate() {
        serve_tcp(&it.pods[0], address);
        let mut connection = Connection::open(&it.client, LISTENER[family]);
        connection.exchange(MEGABYTE);
    }
    let drops = it.drops();
    assert!(matches!(drops[..], [(DropReason::TooBig, 1..)]), "{drops:?}");
}

/// Behind the node, a link takes 1300 bytes at once, and the pod says that it takes more. So the client sends more, and
/// learns by an ICMP error of the router that it must not.
#[test]
fn path_mtu_discovery_works() {
    let mut it = Topology::new(1);
    let far = Host::new("far");
    let router = &it.pods[0];
    router.join(("far", &["10.1.0.1/24", "fd01::1/64"]), &far, ("eth0", &["10.1.0.2/24", "fd01::2/64"]));
    router.ip("link set far mtu 1300");
    router.set("ipv4/ip_forward", "1");
    router.set("ipv6/conf/all/forwarding", "1");
    it.node.ip("route add 10.1.0.0/24 via 10.0.0.2");
    it.node.ip("route add fd01::/64 via fd00:0::2");
    far.ip("route add default via 10.1.0.1 mtu 1300 advmss 1460");
    far.ip("route add default via fd01::1 mtu 1300 advmss 1440");
    let servers = ["10.1.0.2:8080", "[fd01::2]:8080"].map(|it| it.parse().unwrap());
    it.serve(&servers, Reach::Forwarded, 0);
    for (family, address) in servers.into_iter().enumerate() {
        serve_tcp(&far, address);
        let mut connection = Connection::open(&it.client, LISTENER[family]);
        connection.exchange(MEGABYTE);
    }
}

/// The second comes before the first at each interface, and passes on what is not its own.
#[test]
fn programs_of_others_at_the_same_interfaces_go_on() {
    let mut it = Topology::new(1);
    it.serve(&pod(0), Reach::Forwarded, 0);
    let second = it.node.run(|| {
        let mut kernel = Kernel::load(&crate::topology::small(), Node::default()).unwrap();
        ["clients", "pod0"].iter().for_each(|it| kernel.attach(it).unwrap());
        kernel
    });
    for (family, address) in pod(0).into_iter().enumerate() {
        serve_tcp(&it.pods[0], address);
        let mut connection = Connection::open(&it.client, LISTENER[family]);
        connection.exchange(MEGABYTE);
        assert_eq!(it.counters(Transport::Tcp, family).flows, 1);
    }
    drop(second);
    Connection::open(&it.client, LISTENER[0]).exchange(MEGABYTE);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let it = Topology::new(0);
    let error = it.node.run(|| {
        let mut kernel = Kernel::load(&crate::topology::small(), Node::default()).unwrap();
        kernel.attach("nothing").unwrap_err()
    });
    assert!(error.to_string().contains("to the interface `nothing` by tcx"), "{error}");
    assert!(error.help().unwrap().contains("ip link"), "{error}");
}
