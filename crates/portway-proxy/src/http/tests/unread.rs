//! Answers that are ready before the request has come.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::edge::LocalExecutor;
use super::*;

fn small(plan: Plan) -> Plan {
    plan.limits(|limits| {
        limits.unread_body_bytes = 1000;
        limits.unread_body_timeout = Duration::from_millis(200);
        limits.linger_timeout = Duration::from_millis(300);
    })
}

/// Reads one response without a body that is longer than what it announces.
async fn answer(client: &mut DuplexStream) -> String {
    let mut all = Vec::new();
    loop {
        let mut chunk = [0; 1024];
        let read = client.read(&mut chunk).await.unwrap();
        assert!(read > 0, "it closed: {}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&all).into_owned();
        let length = header(&text, "content-length").and_then(|it| it.parse().ok());
        if text.contains("\r\n\r\n") && length == Some(body(&text).len()) {
            return text;
        }
    }
}

#[test]
fn a_small_rest_leaves_the_connection_usable() {
    on_a_worker(async {
        let edge = small(Plan::new(vec![])).start();
        let mut client = edge.connect();
        for head in ["content-length: 800", "transfer-encoding: chunked"] {
            client
                .write_all(format!("POST / HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let early = answer(&mut client).await;
            assert_eq!((status(&early), header(&early, "connection")), (404, None));
            let rest = "x".repeat(800);
            let rest = if head.starts_with("content") { rest } else { format!("320\r\n{rest}\r\n0\r\n\r\n") };
            for piece in rest.as_bytes().chunks(100) {
                client.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        client.write_all(get("/", &[]).as_bytes()).await.unwrap();
        assert_eq!(status(&answer(&mut client).await), 404);
    });
}

#[test]
fn a_large_rest_ends_the_connection_and_the_answer_says_so() {
    on_a_worker(async {
        let edge = small(Plan::new(vec![])).start();
        let mut client = edge.connect();
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
        let early = answer(&mut client).await;
        assert_eq!((status(&early), header(&early, "connection")), (404, Some("close")));
        // What is under way is still read, lest it be answered by a reset.
        client.write_all(&[b'x'; 900]).await.unwrap();
        client.write_all(&[b'x'; 200]).await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    });
}

#[test]
fn what_comes_after_the_end_is_thrown_away_for_a_while() {
    on_a_worker(async {
        let edge = small(Plan::new(vec![])).start();
        let mut client = edge.connect();
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n").await.unwrap();
        let mut all = String::new();
        // A client that sends on and on, and does not look for its answer before.
        client.write_all(&[b'x'; 500_000]).await.unwrap();
        client.read_to_string(&mut all).await.unwrap();
        assert_eq!((status(&all), header(&all, "connection")), (404, Some("close")));
        let end = tokio::time::timeout(Duration::from_secs(10), async {
            while client.write_all(&[b'x'; 1000]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        end.await.expect("the connection goes on for ever");
    });
}

#[test]
fn a_rest_that_does_not_come_is_not_waited_for() {
    on_a_worker(async {
        let edge = small(Plan::new(vec![])).start();
        let mut client = edge.connect();
        client.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 800\r\n\r\nx").await.unwrap();
        assert_eq!(status(&answer(&mut client).await), 404);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
    });
}

#[test]
fn who_waits_to_be_told_to_send_is_not_told() {
    on_a_worker(async {
        let edge = small(Plan::new(vec![])).start();
        let head = "expect: 100-continue\r\ncontent-length: 10";
        let mut client = edge.connect();
        client.write_all(format!("POST / HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n").as_bytes()).await.unwrap();
        let mut all = String::new();
        client.read_to_string(&mut all).await.unwrap();
        assert_eq!((status(&all), header(&all, "connection")), (404, Some("close")));
    });
}

#[test]
fn a_malformed_request_ends_its_connection() {
    on_a_worker(async {
        let edge = small(Plan::new(vec![])).start();
        let mut client = edge.connect();
        client
            .write_all(b"POST / HTTP/1.1\r\nhost: a\r\nhost: b\r\ncontent-length: 10\r\n\r\n0123456")
            .await
            .unwrap();
        let mut all = String::new();
        client.read_to_string(&mut all).await.unwrap();
        assert_eq!((status(&all), header(&all, "connection")), (400, Some("close")));
    });
}

#[test]
fn streams_are_not_reset_under_their_bodies() {
    on_a_worker(async {
        let edge = Plan::new(vec![]).start();
        let io = TokioIo::new(edge.connect());
        let (mut client, connection) = http2::handshake(LocalExecutor, io).await.unwrap();
        tokio::task::spawn_local(connection);
        for _ in 0..20 {
            let body = Full::new(Bytes::from(vec![b'x'; 200_000]));
            let request = Request::post("http://web.example/").body(body).unwrap();
            let response = client.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            let text = response.into_body().collect().await.unwrap().to_bytes();
            assert!(text.starts_with(b"no_route: "), "{text:?}");
        }
    });
}
