//! UDP, from client to pod and back.

use std::io::ErrorKind;

use portway_ebpf::service::{Reach, Transport};

use crate::peers::{Datagrams, serve_udp};
use crate::topology::{LISTENER, Topology};
use crate::wiring::pod;

#[test]
fn to_a_pod_and_back_with_the_clients_address_kept() {
    let mut it = Topology::new(1);
    it.serve(&pod(0), Reach::Forwarded, 0);
    for (family, address) in pod(0).into_iter().enumerate() {
        serve_udp(&it.pods[0], address);
        let socket = Datagrams::open(&it.client, LISTENER[family]);
        for length in [0, 1, 512, 1200] {
            let told = socket.exchange(length);
            assert_eq!((told.server, told.client), (address, socket.address));
        }
        let counters = it.counters(Transport::Udp, family);
        assert_eq!((counters.flows, counters.packets_from_client, counters.packets_from_endpoint), (1, 4, 4));
    }
    assert_eq!(it.drops(), []);
}

#[test]
fn datagrams_in_fragments_arrive_both_ways() {
    let mut it = Topology::new(1);
    it.serve(&pod(0), Reach::Forwarded, 0);
    for (family, address) in pod(0).into_iter().enumerate() {
        serve_udp(&it.pods[0], address);
        let socket = Datagrams::open(&it.client, LISTENER[family]);
        for length in [1600, 4000, 20_000] {
            assert_eq!(socket.exchange(length).server, address);
        }
    }
    assert_eq!(it.drops(), []);
}

/// What an endpoint says by ICMP reaches the client's socket, in the listener's name.
#[test]
fn a_closed_port_is_told() {
    let mut it = Topology::new(1);
    it.serve(&pod(0), Reach::Forwarded, 0);
    for listener in LISTENER {
        let socket = Datagrams::open(&it.client, listener);
        assert_eq!(socket.error().kind(), ErrorKind::ConnectionRefused);
    }
}
