//! Change under load, failing sockets, draining.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portway_config::{ListenerProtocol, NamespacedName, Revision, RouteKind};
use portway_proxy::Snapshot;
use portway_proxy::connection::BindError;
use portway_proxy::limits::Limits;
use portway_proxy::snapshot::{Binding, GatewaySnapshot, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::edge::{Config, Edge, SOON};
use crate::peers::{echo, exchange, get, get_on, http};

#[tokio::test]
async fn http_is_served() {
    let config = Config::new()
        .listener("http", 8080, "", ListenerProtocol::Http)
        .http_route("http", http("web").await);
    let edge = Edge::start(&config).await;
    assert_eq!(get(config.at(8080)).await.unwrap(), (200, "web".to_owned()));
    drop(edge);
}

/// 100 changes of other ports while requests are sent without a pause, on new connections and on old ones.
#[tokio::test]
async fn ports_come_and_go_and_no_other_port_notices() {
    let (web, tcp) = (http("web").await, echo("tcp").await);
    let base = Config::new()
        .listener("http", 8080, "", ListenerProtocol::Http)
        .http_route("http", web)
        .listener("tcp", 9000, "", ListenerProtocol::Tcp)
        .route(RouteKind::Tcp, "tcp", &[(1, Some(tcp))]);
    let more = base
        .clone()
        .listener("other", 9001, "", ListenerProtocol::Tcp)
        .route(RouteKind::Tcp, "other", &[(1, Some(tcp))])
        .listener("udp", 9002, "", ListenerProtocol::Udp);
    let mut edge = Edge::start(&base).await;

    let stop = Arc::new(AtomicBool::new(false));
    let (http_at, tcp_at) = (base.at(8080), base.at(9000));
    let stopped = Arc::clone(&stop);
    let load = tokio::spawn(async move {
        let mut kept = TcpStream::connect(http_at).await.unwrap();
        let mut tunnel = TcpStream::connect(tcp_at).await.unwrap();
        tunnel.read_exact(&mut [0; 3]).await.unwrap();
        let mut rounds = 0;
        while !stopped.load(Ordering::Relaxed) {
            assert_eq!(get_on(&mut kept).await.unwrap().0, 200);
            assert_eq!(get(http_at).await.unwrap().0, 200);
            assert_eq!(exchange(tcp_at, b"x").await.unwrap(), "tcpxgoodbye");
            tunnel.write_u8(1).await.unwrap();
            assert_eq!(tunnel.read_u8().await.unwrap(), 1);
            rounds += 1;
        }
        rounds
    });
    for _ in 0..50 {
        let applied = edge.apply(&more).await;
        assert!(applied.failures.is_empty(), "{:?}", applied.failures);
        assert_eq!((applied.opened.len(), applied.closed.len()), (2, 0));
        assert_eq!(exchange(base.at(9001), b"x").await.unwrap(), "tcpxgoodbye");
        let applied = edge.apply(&base).await;
        assert_eq!((applied.opened.len(), applied.closed.len()), (0, 2));
        refuses(base.at(9001)).await;
    }
    stop.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 10);
}

/// Waits until nobody listens. A process that another test starts in this moment holds a copy of every socket until its
/// `exec`, the closed ones included.
async fn refuses(address: SocketAddr) {
    let refused = async {
        loop {
            match TcpStream::connect(address).await {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
                _ => sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(Duration::from_secs(1), refused).await.expect("the port is closed");
}

#[tokio::test]
async fn a_port_that_cannot_be_bound_is_reported_and_the_others_are_served() {
    let web = http("web").await;
    let config = Config::new()
        .listener("http", 8080, "", ListenerProtocol::Http)
        .http_route("http", web)
        .listener("taken", 8081, "", ListenerProtocol::Http)
        .http_route("taken", web);
    let taken = TcpListener::bind(config.at(8081)).unwrap();
    let mut edge = Edge::start(&config.clone().without("taken")).await;

    let applied = edge.apply(&config).await;
    let [failure] = &applied.failures[..] else { panic!("{applied:?}") };
    assert!(matches!(failure.error, BindError::InUse), "{failure}");
    let text = format!(
        "cannot listen on TCP {} for Gateway infra/edge: the address is in use by another process",
        config.at(8081)
    );
    assert_eq!(failure.to_string(), text);
    assert_eq!(get(config.at(8080)).await.unwrap().0, 200);

    // The next change tries again.
    drop(taken);
    let applied = edge.apply(&config).await;
    assert!(applied.failures.is_empty());
    assert_eq!(
        applied.opened,
        [Binding { address: config.at(8081), transport: Transport::Tcp, listener_port: 8081 }]
    );
    assert_eq!(get(config.at(8081)).await.unwrap().0, 200);
}

#[tokio::test]
async fn of_two_gateways_with_one_address_the_first_has_it_and_the_port_passes_on() {
    let config = Config::new()
        .listener("http", 8080, "", ListenerProtocol::Http)
        .http_route("http", http("one").await);
    let second = config.clone().http_route("http", http("two").await);
    let edge = Edge::start(&config).await;
    let binding = Binding { address: config.at(8080), transport: Transport::Tcp, listener_port: 8080 };
    let gateway = |config: &Config, name: &str| {
        let mut configuration = config.configuration.clone();
        configuration.gateway = NamespacedName::new("infra", name);
        Arc::new(GatewaySnapshot::build(Arc::new(configuration), vec![binding], None).0)
    };
    let (one, two) = (gateway(&config, "one"), gateway(&second, "two"));

    let both = Snapshot { revision: Revision(10), gateways: vec![Arc::clone(&one), Arc::clone(&two)] };
    let applied = edge.proxy.apply(both).await;
    let [failure] = &applied.failures[..] else { panic!("{applied:?}") };
    assert!(matches!(&failure.error, BindError::Claimed(name) if *name.name == *"one"), "{failure}");
    assert_eq!(get(config.at(8080)).await.unwrap().1, "one");

    let applied = edge.proxy.apply(Snapshot { revision: Revision(11), gateways: vec![two] }).await;
    assert!(applied.opened.is_empty() && applied.closed.is_empty(), "the socket stays open");
    assert_eq!(get(config.at(8080)).await.unwrap().1, "two");
}

/// A connection that waits in the kernel when its port is closed has been accepted as far as its client
/// knows, so it is served.
#[tokio::test]
async fn connections_in_the_queue_are_taken_before_a_socket_is_closed() {
    let web = http("web").await;
    let config = Config::new().listener("http", 8080, "", ListenerProtocol::Http).http_route("http", web);
    for _ in 0..20 {
        let edge = Edge::start(&config).await;
        let mut clients = Vec::new();
        for _ in 0..30 {
            clients.push(TcpStream::connect(config.at(8080)).await.unwrap());
        }
        let drained = edge.proxy.drain(SOON);
        let requests = async {
            for mut client in clients {
                assert_eq!(get_on(&mut client).await.unwrap().0, 200);
            }
        };
        let (drained, ()) = tokio::join!(drained, requests);
        assert_eq!(drained.cut, 0);
        edge.proxy.shutdown();
    }
}

#[tokio::test]
async fn a_drain_waits_for_connections_and_then_cuts_them() {
    let backend = echo("").await;
    let config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp).route(
        RouteKind::Tcp,
        "tcp",
        &[(1, Some(backend))],
    );
    let edge = Edge::start(&config).await;
    let mut quick = TcpStream::connect(config.at(9000)).await.unwrap();
    let mut slow = TcpStream::connect(config.at(9000)).await.unwrap();
    for client in [&mut quick, &mut slow] {
        client.write_u8(1).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 1);
    }
    let drain = edge.proxy.drain(Duration::from_millis(500));
    let clients = async {
        sleep(Duration::from_millis(100)).await;
        assert!(TcpStream::connect(config.at(9000)).await.is_err(), "still accepting");
        // Both still work.
        for client in [&mut quick, &mut slow] {
            client.write_u8(2).await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), 2);
        }
        drop(quick);
    };
    let (drained, ()) = tokio::join!(drain, clients);
    assert_eq!(drained.cut, 1);
    assert!(!matches!(slow.read(&mut [0]).await, Ok(1)));
    edge.logged_reason("draining").await;
}

#[tokio::test]
async fn connections_of_a_port_that_is_gone_are_cut_after_the_grace() {
    let backend = echo("").await;
    let config = Config::new()
        .listener("tcp", 9000, "", ListenerProtocol::Tcp)
        .route(RouteKind::Tcp, "tcp", &[(1, Some(backend))])
        .listener("kept", 9001, "", ListenerProtocol::Tcp)
        .route(RouteKind::Tcp, "kept", &[(1, Some(backend))]);
    let limits = Limits { drain_timeout: Duration::from_millis(300), ..Limits::default() };
    let mut edge = Edge::with_limits(&config, limits).await;
    let mut gone = TcpStream::connect(config.at(9000)).await.unwrap();
    let mut kept = TcpStream::connect(config.at(9001)).await.unwrap();
    for client in [&mut gone, &mut kept] {
        client.write_u8(1).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 1);
    }
    edge.apply(&config.clone().without("tcp")).await;
    gone.write_u8(2).await.unwrap();
    assert_eq!(gone.read_u8().await.unwrap(), 2, "it still has its grace");
    assert!(!matches!(timeout(SOON, gone.read(&mut [0])).await.expect("an end"), Ok(1)));
    kept.write_u8(3).await.unwrap();
    assert_eq!(kept.read_u8().await.unwrap(), 3);
}
