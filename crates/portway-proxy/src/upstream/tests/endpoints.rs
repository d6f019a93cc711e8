use std::collections::BTreeMap;
use std::time::Duration;

use portway_config::route::{Fault, FaultReason};

use super::*;
use crate::reason::Reason;

/// An address on which nothing listens.
async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[test]
fn endpoints_take_turns() {
    on_a_worker(async {
        let servers =
            [Server::answering("a").await, Server::answering("b").await, Server::answering("c").await];
        let backend = plain_http1(&servers.each_ref().map(|it| it.address));
        let pools = pools(Limits::default());
        let mut counts = BTreeMap::new();
        for _ in 0..30 {
            *counts.entry(get(&pools, &backend).await.unwrap()).or_insert(0) += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [10, 10, 10]);
    });
}

#[test]
fn with_many_endpoints_all_are_used() {
    on_a_worker(async {
        let mut servers = Vec::new();
        for _ in 0..40 {
            servers.push(Server::answering("x").await);
        }
        let backend = plain_http1(&servers.iter().map(|it| it.address).collect::<Vec<_>>());
        let pools = pools(Limits::default());
        for _ in 0..800 {
            get(&pools, &backend).await.unwrap();
        }
        let unused = servers.iter().filter(|it| it.connections.get() == 0).count();
        assert_eq!(unused, 0);
    });
}

#[test]
fn an_endpoint_that_cannot_be_reached_is_passed_over() {
    on_a_worker(async {
        let server = Server::answering("alive").await;
        let backend = plain_http1(&[closed_port().await, server.address]);
        let pools = pools(Limits::default());
        let mut failures = 0;
        for _ in 0..20 {
            failures += usize::from(get(&pools, &backend).await.is_err());
        }
        assert!(failures <= 1, "{failures} failures");
    });
}

#[test]
fn a_second_attempt_avoids_the_endpoint_of_the_first() {
    on_a_worker(async {
        let servers = [Server::answering("a").await, Server::answering("b").await];
        let backend = plain_http1(&servers.each_ref().map(|it| it.address));
        let pools = pools(Limits::default());
        for _ in 0..4 {
            let sent = pools.send(&backend, request(Method::GET), &[servers[0].address]).await.unwrap();
            assert_eq!(sent.endpoint, servers[1].address);
        }
    });
}

#[test]
fn what_could_not_be_sent_comes_back() {
    on_a_worker(async {
        let backend = plain_http1(&[closed_port().await]);
        let error = pools(Limits::default()).send(&backend, request(Method::POST), &[]).await.unwrap_err();
        assert_eq!(error.reason, Reason::ConnectFailed);
        assert_eq!(error.unsent.unwrap().method(), Method::POST);
    });
}

#[test]
fn without_endpoints_there_is_a_reason_code() {
    on_a_worker(async {
        let error = get(&pools(Limits::default()), &plain_http1(&[])).await.unwrap_err();
        assert_eq!(error.reason, Reason::NoEndpoint);
    });
}

#[test]
fn an_endpoint_that_is_removed_gets_no_more_requests_and_the_others_keep_their_connections() {
    on_a_worker(async {
        let (a, b) = (Server::answering("a").await, Server::answering("b").await);
        let both = configuration(BackendProtocol::Http1, BackendTls::Plain, &[a.address, b.address]);
        let (old, backend) = compile(&both, None);
        let pools = pools(Limits::default());
        for _ in 0..4 {
            get(&pools, &backend).await.unwrap();
        }
        let one = configuration(BackendProtocol::Http1, BackendTls::Plain, &[b.address]);
        let (_, changed) = compile(&one, Some(&old));
        for _ in 0..4 {
            assert_eq!(get(&pools, &changed).await.unwrap(), "b");
        }
        // A request that began with the former snapshot does not bring the endpoint back.
        assert_eq!(get(&pools, &backend).await.unwrap(), "b");
        assert_eq!((a.connections.get(), b.connections.get()), (1, 1));
    });
}

#[test]
fn what_does_not_change_is_shared_with_the_former_snapshot() {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let (old, backend) = compile(&configuration(BackendProtocol::Http1, BackendTls::Plain, &[address]), None);
    let same = configuration(BackendProtocol::Http1, BackendTls::Plain, &[address]);
    assert!(Arc::ptr_eq(&compile(&same, Some(&old)).1, &backend));
}

#[test]
fn a_backend_whose_tls_is_refused_is_never_spoken_to_in_clear_text() {
    on_a_worker(async {
        let server = Server::answering("clear text").await;
        let fault = Fault { reason: FaultReason::InvalidBackendTls, message: "no CA".into() };
        let refused = BackendTls::Refused(fault);
        let (_, backend) = compile(&configuration(BackendProtocol::Http1, refused, &[server.address]), None);
        let error = get(&pools(Limits::default()), &backend).await.unwrap_err();
        assert_eq!(error.reason, Reason::Fault(FaultReason::InvalidBackendTls));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(server.connections.get(), 0);
    });
}

fn named(host: &str, port: u16) -> Arc<Backend> {
    let mut configuration = configuration(BackendProtocol::Http1, BackendTls::Plain, &[]);
    let key = key(BackendProtocol::Http1).endpoints;
    let address = EndpointAddress::Dns { host: host.into(), port };
    let endpoints = vec![Endpoint { address, state: EndpointState::Ready, node: None }];
    configuration.endpoints.insert(key.clone(), Arc::new(Endpoints { key, endpoints }));
    compile(&configuration, None).1
}

#[test]
fn a_name_is_resolved() {
    on_a_worker(async {
        let found: Vec<_> = tokio::net::lookup_host(("localhost", 1)).await.unwrap().collect();
        // Wherever of its addresses the server is.
        for ip in found.iter().map(SocketAddr::ip) {
            let server = Server::answering_at(ip, "by name").await;
            let backend = named("localhost", server.address.port());
            let pools = pools(Limits::default());
            let sent = pools.send(&backend, request(Method::GET), &[]).await.unwrap();
            assert_eq!(sent.endpoint, server.address);
        }
        assert!(!found.is_empty());
        let error = get(&pools(Limits::default()), &named("nobody.invalid", 80)).await.unwrap_err();
        assert_eq!(error.reason, Reason::ConnectFailed);
        assert!(error.detail.contains("nobody.invalid"), "{error}");
    });
}

/// As of a name with addresses of both families, of which one leads nowhere.
#[test]
fn every_address_of_a_name_is_tried() {
    on_a_worker(async {
        let limits = Limits::default();
        let server = Server::answering("by name").await;
        let (closed, now) = (closed_port().await, std::time::Instant::now());
        let address = EndpointAddress::Dns { host: "both.example".into(), port: 80 };
        let endpoint = endpoint_pool::EndpointPool::new(address.clone(), 1);
        endpoint.resolved.learn(vec![closed, server.address], now).unwrap();
        let connected = connect::connect(&backends::Tls::Plain, &endpoint, &limits).await.unwrap();
        assert_eq!(connected.endpoint, server.address);
        assert!(!endpoint.is_ejected(std::time::Instant::now()));
        // The next begins with the one that works; also with a new answer, as long as it has it.
        assert_eq!(endpoint.resolved.address(&address, &limits, now).await.unwrap(), server.address);
        let learnt = endpoint.resolved.learn(vec![closed, server.address], now).unwrap();
        assert_eq!(learnt, [server.address, closed]);
        assert_eq!(endpoint.resolved.learn(vec![closed], now).unwrap(), [closed]);
        let error = connect::connect(&backends::Tls::Plain, &endpoint, &limits).await.unwrap_err();
        assert_eq!((error.reason, error.endpoint), (Reason::ConnectFailed, Some(closed)));
        assert!(endpoint.is_ejected(std::time::Instant::now()));
    });
}
