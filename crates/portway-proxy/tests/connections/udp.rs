//! UDPRoutes.

use std::net::SocketAddr;
use std::time::Duration;

use portway_config::{ListenerProtocol, RouteKind};
use portway_proxy::limits::Limits;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::edge::{Config, Edge, SOON};
use crate::peers::udp_echo;

struct Client(UdpSocket);

impl Client {
    async fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(server).await.unwrap();
        Self(socket)
    }

    async fn ask(&self, question: &[u8]) -> Vec<u8> {
        self.try_ask(question, SOON).await.expect("an answer")
    }

    async fn try_ask(&self, question: &[u8], patience: Duration) -> Option<Vec<u8>> {
        self.0.send(question).await.unwrap();
        let mut buffer = vec![0; 65_535];
        let length = timeout(patience, self.0.recv(&mut buffer)).await.ok()?.ok()?;
        buffer.truncate(length);
        Some(buffer)
    }
}

fn config(backends: &[(u32, Option<SocketAddr>)]) -> Config {
    Config::new().listener("dns", 53, "", ListenerProtocol::Udp).route(RouteKind::Udp, "dns", backends)
}

#[tokio::test]
async fn each_client_gets_its_own_answers() {
    let config = config(&[(1, Some(udp_echo("echo ").await))]);
    let edge = Edge::start(&config).await;
    let (a, b) = (Client::new(config.at(53)).await, Client::new(config.at(53)).await);
    for round in 0..20 {
        let (question_a, question_b) = (format!("a{round}"), format!("b{round}"));
        let (answer_a, answer_b) = tokio::join!(a.ask(question_a.as_bytes()), b.ask(question_b.as_bytes()));
        assert_eq!(String::from_utf8_lossy(&answer_a), format!("echo {question_a}"));
        assert_eq!(String::from_utf8_lossy(&answer_b), format!("echo {question_b}"));
    }
    // Sessions are written down when they end.
    assert_eq!(edge.proxy.drain(SOON).await.cut, 0);
    let lines: Vec<_> = edge.finish().into_iter().filter(|line| line["protocol"] == "udp").collect();
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert_eq!(lines[0]["route"], "UDPRoute app/dns");
    assert_eq!(
        lines[0]["received_bytes"].as_u64().unwrap() + 20 * 5,
        lines[0]["sent_bytes"].as_u64().unwrap()
    );
}

#[tokio::test]
async fn datagrams_are_neither_merged_nor_cut() {
    let config = config(&[(1, Some(udp_echo("").await))]);
    let edge = Edge::start(&config).await;
    let client = Client::new(config.at(53)).await;
    for size in [0, 1, 1472, 1473, 9000, 65_507] {
        let datagram: Vec<u8> = (0..size).map(|it| it as u8).collect();
        assert!(client.ask(&datagram).await == datagram, "{size} bytes");
    }
    // A first burst, sent before the session has an endpoint.
    let client = Client::new(config.at(53)).await;
    for size in 1..=10 {
        client.0.send(&vec![7; size]).await.unwrap();
    }
    let mut buffer = [0; 64];
    for size in 1..=10 {
        assert_eq!(timeout(SOON, client.0.recv(&mut buffer)).await.unwrap().unwrap(), size);
    }
    drop(edge);
}

#[tokio::test]
async fn sessions_are_split_by_weight_and_stay() {
    let config = config(&[(3, Some(udp_echo("a").await)), (1, Some(udp_echo("b").await))]);
    let edge = Edge::start(&config).await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        let client = Client::new(config.at(53)).await;
        let answer = client.ask(b"").await;
        for _ in 0..3 {
            assert_eq!(client.ask(b"").await, answer);
        }
        answers.extend(answer);
    }
    answers.sort_unstable();
    assert_eq!(answers, b"aaaaaabb");
    drop(edge);
}

#[tokio::test]
async fn a_session_follows_when_its_endpoint_is_gone() {
    let (old, new) = (udp_echo("old").await, udp_echo("new").await);
    let mut config = config(&[(1, Some(old))]);
    let mut edge = Edge::start(&config).await;
    let client = Client::new(config.at(53)).await;
    assert_eq!(client.ask(b"").await, b"old");
    let key = config.configuration.endpoints.keys().next().unwrap().clone();
    config.endpoints(&key, &[old, new]);
    edge.apply(&config).await;
    assert_eq!(client.ask(b"").await, b"old");
    config.endpoints(&key, &[new]);
    edge.apply(&config).await;
    assert_eq!(client.ask(b"").await, b"new");
}

#[tokio::test]
async fn silent_sessions_end() {
    let config = config(&[(1, Some(udp_echo("").await))]);
    let limits = Limits { udp_session_timeout: Duration::from_millis(100), ..Limits::default() };
    let edge = Edge::with_limits(&config, limits).await;
    Client::new(config.at(53)).await.ask(b"x").await;
    let line = edge.logged(|line| line["protocol"] == "udp").await;
    assert_eq!(line["reason"], serde_json::Value::Null);
    assert!(line["duration_us"].as_u64().unwrap() >= 100_000);
}

#[tokio::test]
async fn there_is_a_largest_number_of_sessions() {
    let config = config(&[(1, Some(udp_echo("").await))]);
    let edge = Edge::with_limits(&config, Limits { udp_sessions: 1, ..Limits::default() }).await;
    let mut clients = Vec::new();
    let mut refused = 0;
    // Two workers with one each.
    while refused == 0 {
        let client = Client::new(config.at(53)).await;
        match client.try_ask(b"x", Duration::from_millis(300)).await {
            Some(_) => clients.push(client),
            None => refused += 1,
        }
        assert!(clients.len() <= 2);
    }
    edge.logged_reason("overload").await;
    for client in &clients {
        assert_eq!(client.ask(b"still there").await, b"still there");
    }
}

#[tokio::test]
async fn what_nobody_takes_is_recorded() {
    let mut config = config(&[(1, None)]);
    let mut edge = Edge::start(&config).await;
    let client = Client::new(config.at(53)).await;
    assert_eq!(client.try_ask(b"x", Duration::from_millis(100)).await, None);
    edge.logged_reason("backend_not_found").await;
    // As soon as there is an endpoint, the client is served.
    let backend = udp_echo("late").await;
    config = config.route(RouteKind::Udp, "dns", &[(1, Some(backend))]);
    edge.apply(&config).await;
    assert_eq!(client.ask(b"").await, b"late");
    // An endpoint that refuses ends the session; the next datagram begins another.
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    edge.apply(&config.clone().route(RouteKind::Udp, "dns", &[(1, Some(dead))])).await;
    assert_eq!(client.try_ask(b"x", Duration::from_millis(100)).await, None);
    edge.logged_reason("upstream_reset").await;
    edge.apply(&config).await;
    assert_eq!(client.ask(b"").await, b"late");
}
