//! TCPRoutes.

use std::time::Duration;

use portway_config::{ListenerProtocol, RouteKind};
use portway_proxy::limits::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::edge::{Config, Edge, SOON};
use crate::peers::{echo, exchange};

#[tokio::test]
async fn bytes_pass_both_ways_and_a_half_closed_client_gets_the_rest() {
    let backend = echo("hello ").await;
    let config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp).route(
        RouteKind::Tcp,
        "tcp",
        &[(1, Some(backend))],
    );
    let edge = Edge::start(&config).await;
    assert_eq!(exchange(config.at(9000), b"1234").await.unwrap(), "hello 1234goodbye");

    let line = edge.logged(|line| line["protocol"] == "tcp").await;
    assert_eq!(line["reason"], serde_json::Value::Null);
    assert_eq!(line["listener"], "tcp");
    assert_eq!(line["route"], "TCPRoute app/tcp");
    assert_eq!(line["backend"], "app/tcp-0:1");
    assert_eq!(line["endpoint"], backend.to_string());
    assert_eq!((&line["received_bytes"], &line["sent_bytes"]), (&4.into(), &17.into()));
}

#[tokio::test]
async fn megabytes_arrive_whole() {
    let backend = echo("").await;
    let config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp).route(
        RouteKind::Tcp,
        "tcp",
        &[(1, Some(backend))],
    );
    let edge = Edge::start(&config).await;
    let data: Vec<u8> = (0..5_000_000_u32).map(|it| (it % 253) as u8).collect();
    let (mut read, mut write) = TcpStream::connect(config.at(9000)).await.unwrap().into_split();
    let sent = data.clone();
    tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut got = Vec::new();
    read.read_to_end(&mut got).await.unwrap();
    assert!(got.strip_suffix(b"goodbye").is_some_and(|got| *got == data));
    drop(edge);
}

#[tokio::test]
async fn weights_are_exact_and_an_invalid_share_is_reset() {
    let (a, b) = (echo("a").await, echo("b").await);
    let config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp).route(
        RouteKind::Tcp,
        "tcp",
        &[(3, Some(a)), (1, Some(b)), (1, None), (0, Some(b))],
    );
    let edge = Edge::start(&config).await;
    let mut got = Vec::new();
    for _ in 0..10 {
        got.push(exchange(config.at(9000), b"").await.unwrap_or_else(|error| error.kind().to_string()));
    }
    got.sort();
    let reset = "connection reset";
    assert_eq!(
        got,
        [
            "agoodbye", "agoodbye", "agoodbye", "agoodbye", "agoodbye", "agoodbye", "bgoodbye", "bgoodbye",
            reset, reset
        ]
    );
    edge.logged_reason("backend_not_found").await;
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_makes_way_for_another() {
    let alive = echo("alive").await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp).route(
        RouteKind::Tcp,
        "tcp",
        &[(1, Some(alive))],
    );
    let key = config.configuration.endpoints.keys().next().unwrap().clone();
    config.endpoints(&key, &[dead, alive]);
    let mut edge = Edge::start(&config).await;
    for _ in 0..8 {
        assert_eq!(exchange(config.at(9000), b"").await.unwrap(), "alivegoodbye");
    }
    // With none that is alive, the client is told so by a reset.
    config.endpoints(&key, &[dead]);
    edge.apply(&config).await;
    assert!(exchange(config.at(9000), b"").await.is_err());
    edge.logged_reason("connect_failed").await;
    config.endpoints(&key, &[]);
    edge.apply(&config).await;
    assert!(exchange(config.at(9000), b"").await.is_err());
    edge.logged_reason("no_endpoint").await;
}

#[tokio::test]
async fn a_reset_of_the_endpoint_is_not_a_clean_end_for_the_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp).route(
        RouteKind::Tcp,
        "tcp",
        &[(1, Some(listener.local_addr().unwrap()))],
    );
    let edge = Edge::start(&config).await;
    let mut client = TcpStream::connect(config.at(9000)).await.unwrap();
    let (mut endpoint, _) = listener.accept().await.unwrap();
    // Once a byte has come through, the reset is not one of a connection that is still being made.
    client.write_all(b"x").await.unwrap();
    endpoint.read_exact(&mut [0]).await.unwrap();
    endpoint.set_zero_linger().unwrap();
    drop(endpoint);
    let error = client.read(&mut [0]).await.expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    edge.logged_reason("upstream_reset").await;
}

#[tokio::test]
async fn a_silent_connection_ends() {
    let backend = echo("").await;
    let config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp).route(
        RouteKind::Tcp,
        "tcp",
        &[(1, Some(backend))],
    );
    let limits = Limits { stream_idle_timeout: Duration::from_millis(100), ..Limits::default() };
    let edge = Edge::with_limits(&config, limits).await;
    let mut client = TcpStream::connect(config.at(9000)).await.unwrap();
    let ended = tokio::time::timeout(SOON, client.read(&mut [0])).await.expect("an end");
    assert!(!matches!(ended, Ok(1)));
    edge.logged_reason("stream_idle").await;
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_at_once() {
    let backend = echo("in").await;
    let config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp).route(
        RouteKind::Tcp,
        "tcp",
        &[(1, Some(backend))],
    );
    let edge = Edge::with_limits(&config, Limits { downstream_connections: 2, ..Limits::default() }).await;
    let mut held = Vec::new();
    let mut refused = 0;
    // Two workers with two each.
    while refused == 0 {
        let mut client = TcpStream::connect(config.at(9000)).await.unwrap();
        match client.read(&mut [0; 2]).await {
            Ok(2) => held.push(client),
            _ => refused += 1,
        }
        assert!(held.len() <= 4);
    }
    edge.logged_reason("overload").await;
    assert!(held.len() >= 2);
    // Those that are there are not disturbed, and when they go others may come.
    for client in &mut held {
        client.write_all(b"x").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
    }
    drop(held);
    let start = std::time::Instant::now();
    while exchange(config.at(9000), b"").await.is_err() {
        assert!(start.elapsed() < SOON, "the places are not free again");
    }
}

#[tokio::test]
async fn a_listener_without_a_route_resets() {
    let config = Config::new().listener("tcp", 9000, "", ListenerProtocol::Tcp);
    let edge = Edge::start(&config).await;
    assert!(exchange(config.at(9000), b"").await.is_err());
    let line = edge.logged_reason("no_route").await;
    assert_eq!(line["listener"], "tcp");
}
