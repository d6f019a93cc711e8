//! Addresses that nodes announce to a client on the same segment.

use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use portway_ebpf::announce::{Announcer, Link};
use portway_ebpf::{Kernel, Node};

use crate::bpffs::Bpffs;
use crate::host::Host;
use crate::topology::small;

/// In the networks of the segment, and nobody's own.
const ADDRESSES: [&str; 2] = ["198.51.100.50", "2001:db8:c::50"];

struct Announcing {
    host: Host,
    _pins: Bpffs,
    _kernel: Kernel,
    announcer: Arc<Mutex<Announcer>>,
    link: Link,
}

impl Announcing {
    /// A node at the client's bridge.
    fn new(client: &Host, number: u8) -> Self {
        let host = Host::new(&format!("node-{number}"));
        let (name, here) = (
            format!("node{number}"),
            [format!("198.51.100.{number}/24"), format!("2001:db8:c::{number}/64")],
        );
        client.join((&name, &[]), &host, ("eth0", &[&here[0], &here[1]]));
        client.ip(&format!("link set {name} master bridge"));
        let pins = Bpffs::new();
        let directory = pins.pins();
        let (kernel, announcer, link) = host.run(move || {
            let mut kernel = Kernel::load_pinned(&small(), Node::default(), &directory).unwrap();
            kernel.attach("eth0").unwrap();
            let mut links = getifaddrs().unwrap().filter(|it| it.interface_name == "eth0");
            let address = links.find_map(|it| it.address?.as_link_addr()?.addr()).unwrap();
            let link = Link { interface: if_nametoindex("eth0").unwrap(), address };
            (kernel, Announcer::open(&directory).unwrap(), link)
        });
        Self { host, _pins: pins, _kernel: kernel, announcer: Arc::new(Mutex::new(announcer)), link }
    }

    /// Answers for the addresses, and tells all neighbours. With a sign of life or without one.
    fn take(&self, lives: bool) {
        let (announcer, link) = (Arc::clone(&self.announcer), self.link);
        self.host.run(move || {
            let mut announcer = announcer.lock().unwrap();
            for address in ADDRESSES {
                let address = address.parse().unwrap();
                announcer.answer(address, link).unwrap();
                if lives {
                    announcer.live().unwrap();
                }
                announcer.tell(address, link).unwrap();
            }
        });
    }

    fn answered(&self) -> Vec<IpAddr> {
        let mut all: Vec<_> = self.announcer.lock().unwrap().answered().into_iter().map(|it| it.0).collect();
        all.sort();
        all
    }
}

/// A client with a bridge, at which the nodes are.
fn client() -> Host {
    let client = Host::new("client");
    client.ip("link add bridge type bridge");
    client.ip("addr add 198.51.100.7/24 dev bridge");
    client.ip("addr add 2001:db8:c::7/64 dev bridge nodad");
    client.ip("link set bridge up");
    client
}

/// The Ethernet address that the client has for an address.
fn neighbour(client: &Host, address: &'static str) -> Option<[u8; 6]> {
    client.run(move || {
        let told = Command::new("ip").args(["neigh", "show", address]).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let link = told.split(' ').skip_while(|it| *it != "lladdr").nth(1)?;
        let octets: Vec<u8> = link.split(':').map(|it| u8::from_str_radix(it, 16).unwrap()).collect();
        octets.try_into().ok()
    })
}

/// The same, once it has asked for it.
fn answer(client: &Host, address: &'static str) -> Option<[u8; 6]> {
    client.run(move || {
        let to: IpAddr = address.parse().unwrap();
        let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
        // Nobody listens there.
        socket.send_to(b"?", (to, 9)).unwrap();
    });
    (0..25).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        neighbour(client, address)
    })
}

fn becomes(what: impl Fn() -> bool) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        what()
    })
}

#[test]
fn questions_are_answered_by_the_node_that_has_the_address_alone() {
    let client = client();
    let nodes = [1, 2].map(|it| Announcing::new(&client, it));
    for address in ADDRESSES {
        assert_eq!(answer(&client, address), None, "nobody has {address} yet");
    }
    client.ip("neigh flush dev bridge");
    nodes[0].take(true);
    client.ip("neigh flush dev bridge");
    for address in ADDRESSES {
        assert_eq!(answer(&client, address), Some(nodes[0].link.address), "{address}");
    }
}

#[test]
fn neighbours_hear_of_a_take_over() {
    let client = client();
    let nodes = [1, 2].map(|it| Announcing::new(&client, it));
    nodes[0].take(true);
    for address in ADDRESSES {
        assert_eq!(answer(&client, address), Some(nodes[0].link.address), "{address}");
    }
    // A kernel believes the first of several within a second (`locktime`).
    std::thread::sleep(Duration::from_millis(1100));
    nodes[1].take(true);
    for address in ADDRESSES {
        assert!(becomes(|| neighbour(&client, address) == Some(nodes[1].link.address)), "{address}");
    }
}

#[test]
fn a_node_without_agent_gives_way_and_one_with_an_agent_does_not() {
    let client = client();
    let nodes = [1, 2].map(|it| Announcing::new(&client, it));
    nodes[0].take(true);
    nodes[1].take(true);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(nodes[0].answered().len(), 2, "its agent has just given a sign of life");
    // The last sign of life is older than the limit then.
    std::thread::sleep(Duration::from_millis(700));
    nodes[1].take(true);
    assert!(becomes(|| nodes[0].answered().is_empty()), "{:?}", nodes[0].answered());
    assert_eq!(nodes[1].answered().len(), 2);
}
