//! Between kernel and proxy, under way.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::network::{Network, ROUTED_BACK, TCP};
use crate::peers::{Connection, serve_tcp};
use crate::wiring::pod;

const MEGABYTE: usize = 1 << 20;

/// What only the proxy can reach.
fn on_loopback() -> SocketAddr {
    "127.0.0.1:8080".parse().unwrap()
}

#[test]
fn no_connection_is_refused_and_none_is_cut() {
    let it = Network::new();
    pod(0).into_iter().for_each(|address| serve_tcp(&it.pods[0], address));
    serve_tcp(&it.node, on_loopback());
    let _portway = it.run(&[], &ROUTED_BACK);
    let kernel = pod(0);
    let proxy = [kernel[0], kernel[1], on_loopback()];
    let it = Arc::new(it);
    let (stop, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients = {
        let (it, stop, opened) = (Arc::clone(&it), Arc::clone(&stop), Arc::clone(&opened));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let mut connection = Connection::open(&it.client, TCP[0]);
                connection.exchange(1000);
                connection.close();
                opened.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let mut kept = Vec::new();
    for _ in 0..5 {
        it.lead_to(&kernel);
        it.await_path("kernel", "client_address_kept");
        kept.push(Connection::open(&it.client, TCP[0]));
        it.lead_to(&proxy);
        it.await_path("proxy", "endpoint_on_loopback");
        kept.push(Connection::open(&it.client, TCP[0]));
        kept.iter_mut().for_each(|connection| connection.exchange(10_000));
    }
    it.lead_to(&kernel);
    it.await_path("kernel", "client_address_kept");
    stop.store(true, Ordering::Relaxed);
    clients.join().expect("a connection was refused or cut");
    assert!(opened.load(Ordering::Relaxed) > 50);
    for mut connection in kept {
        connection.exchange(MEGABYTE);
        connection.close();
    }
}

/// The kernel path goes past the rules, so it is not taken unless it is asked for.
#[test]
fn where_packets_are_filtered_the_proxy_serves() {
    let it = Network::new();
    pod(0).into_iter().for_each(|address| serve_tcp(&it.pods[0], address));
    let _portway = it.run(&[], &ROUTED_BACK);
    it.await_path("kernel", "client_address_kept");
    let mut before = Connection::open(&it.client, TCP[0]);
    let nft = |command: &'static str| {
        it.node
            .run(move || assert!(Command::new("nft").args(command.split(' ')).status().unwrap().success()));
    };
    nft("add table inet firewall");
    it.await_path("proxy", "packet_filter");
    assert_ne!(Connection::open(&it.client, TCP[0]).told.client.ip(), before.told.client.ip());
    before.exchange(MEGABYTE);
    nft("delete table inet firewall");
    it.await_path("kernel", "client_address_kept");
    before.exchange(MEGABYTE);
}

/// A new interface has no programs yet.
#[test]
fn an_interface_that_comes_again_gets_the_programs_again() {
    let it = Network::new();
    pod(0).into_iter().for_each(|address| serve_tcp(&it.pods[0], address));
    let _portway = it.run(&[], &ROUTED_BACK);
    it.await_path("kernel", "client_address_kept");
    it.node.ip("link del clients");
    it.await_path("proxy", "not_of_interface");
    it.node.join(
        ("clients", &["198.51.100.254/24", "2001:db8:c::fe/64"]),
        &it.client,
        ("eth0", &["198.51.100.7/24", "2001:db8:c::7/64"]),
    );
    it.await_path("kernel", "client_address_kept");
    assert_eq!(it.programs_at("clients"), 2);
    Connection::open(&it.client, TCP[0]).exchange(MEGABYTE);
}
