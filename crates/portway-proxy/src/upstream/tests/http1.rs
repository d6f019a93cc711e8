use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::reason::Reason;

#[test]
fn a_connection_serves_one_request_after_the_other() {
    on_a_worker(async {
        let server = Server::answering("hello").await;
        let (pools, backend) = (pools(Limits::default()), plain_http1(&[server.address]));
        for _ in 0..5 {
            assert_eq!(get(&pools, &backend).await.unwrap(), "hello");
        }
        assert_eq!(server.connections.get(), 1);
    });
}

#[test]
fn a_response_that_is_dropped_half_way_takes_its_connection_along() {
    on_a_worker(async {
        let server = Server::start(|mut stream, _| async move {
            while read_head(&mut stream).await {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf").await;
            }
        })
        .await;
        let (pools, backend) = (pools(Limits::default()), plain_http1(&[server.address]));
        for _ in 0..2 {
            drop(pools.send(&backend, request(Method::GET), &[]).await.unwrap());
        }
        assert_eq!(server.connections.get(), 2, "the rest of a response must not be read as the next one");
    });
}

/// The first connection serves one request, and drops the second one after having read it.
async fn server_that_drops_idle_connections() -> Server {
    Server::start(|mut stream, nth| async move {
        if read_head(&mut stream).await {
            answer(&mut stream, "first").await;
        }
        while read_head(&mut stream).await && nth > 0 {
            answer(&mut stream, "again").await;
        }
    })
    .await
}

#[test]
fn what_an_idle_connection_dropped_is_sent_again_when_it_is_idempotent() {
    on_a_worker(async {
        let server = server_that_drops_idle_connections().await;
        let (pools, backend) = (pools(Limits::default()), plain_http1(&[server.address]));
        assert_eq!(get(&pools, &backend).await.unwrap(), "first");
        assert_eq!(get(&pools, &backend).await.unwrap(), "first", "from a second connection");
        assert_eq!(server.connections.get(), 2);
    });
}

#[test]
fn a_post_that_was_read_is_never_sent_twice() {
    on_a_worker(async {
        let server = server_that_drops_idle_connections().await;
        let (pools, backend) = (pools(Limits::default()), plain_http1(&[server.address]));
        assert_eq!(get(&pools, &backend).await.unwrap(), "first");
        let error = pools.send(&backend, request(Method::POST), &[]).await.unwrap_err();
        assert_eq!(error.reason, Reason::UpstreamReset);
        assert!(error.unsent.is_none());
        assert_eq!(server.connections.get(), 1);
    });
}

#[test]
fn a_connection_that_the_backend_closed_while_idle_is_not_used() {
    on_a_worker(async {
        let server = Server::start(|mut stream, _| async move {
            read_head(&mut stream).await;
            answer(&mut stream, "once").await;
        })
        .await;
        let (pools, backend) = (pools(Limits::default()), plain_http1(&[server.address]));
        for _ in 0..3 {
            let mut post = request(Method::POST);
            *post.body_mut() = RequestBody::full(Bytes::from_static(b"x"));
            let sent = pools.send(&backend, post, &[]).await.unwrap();
            sent.response.into_body().collect().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(server.connections.get(), 3);
    });
}

#[test]
fn an_idle_connection_is_closed_before_the_backend_would() {
    on_a_worker(async {
        let closed = Rc::new(Cell::new(false));
        let seen = Rc::clone(&closed);
        let server = Server::start(move |mut stream, _| {
            let seen = Rc::clone(&seen);
            async move {
                read_head(&mut stream).await;
                answer(&mut stream, "once").await;
                seen.set(!read_head(&mut stream).await);
            }
        })
        .await;
        let limits = Limits { upstream_idle_timeout: Duration::from_millis(50), ..Limits::default() };
        let (pools, backend) = (pools(limits), plain_http1(&[server.address]));
        get(&pools, &backend).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(closed.get());
    });
}

#[test]
fn what_is_not_http_is_an_error_of_its_own() {
    on_a_worker(async {
        let server = Server::start(|mut stream, _| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n").await;
        })
        .await;
        let (pools, backend) = (pools(Limits::default()), plain_http1(&[server.address]));
        let error = get(&pools, &backend).await.unwrap_err();
        assert_eq!(error.reason, Reason::UpstreamProtocol);
        assert_eq!(error.endpoint, Some(server.address));
    });
}

#[test]
fn too_many_requests_at_once_are_refused_at_once() {
    on_a_worker(async {
        let server = Server::start(|mut stream, _| async move {
            read_head(&mut stream).await;
            std::future::pending::<()>().await;
        })
        .await;
        let limits = Limits { upstream_connections: 1, upstream_pending: 0, ..Limits::default() };
        let (pools, backend) = (Rc::new(pools(limits)), plain_http1(&[server.address]));
        let (first_pools, first_backend) = (Rc::clone(&pools), Arc::clone(&backend));
        let first = tokio::task::spawn_local(async move { get(&first_pools, &first_backend).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(get(&pools, &backend).await.unwrap_err().reason, Reason::Overload);
        // Whoever gives up frees the place.
        first.abort();
        let _ = first.await;
        let waiting = tokio::time::timeout(Duration::from_millis(50), get(&pools, &backend)).await;
        assert!(waiting.is_err(), "it is sent, and waits for the response");
    });
}

#[test]
fn who_waits_for_a_place_gets_it() {
    on_a_worker(async {
        let server = Server::start(|mut stream, _| async move {
            while read_head(&mut stream).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
                answer(&mut stream, "slow").await;
            }
        })
        .await;
        let limits = Limits { upstream_connections: 1, upstream_pending: 10, ..Limits::default() };
        let (pools, backend) = (pools(limits), plain_http1(&[server.address]));
        let (a, b, c) = tokio::join!(get(&pools, &backend), get(&pools, &backend), get(&pools, &backend));
        assert_eq!([a, b, c].map(Result::unwrap), ["slow"; 3]);
        assert_eq!(server.connections.get(), 1);
    });
}
