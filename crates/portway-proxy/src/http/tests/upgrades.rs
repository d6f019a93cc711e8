//! Upgrades to other protocols.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const ASK: &str = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: k\r\n\r\n";

/// Agrees to any upgrade and then sends everything back in upper case.
async fn shouting() -> Backend {
    Backend::raw(|backend, mut stream, _| async move {
        backend.note(backend::read_head(&mut stream).await.unwrap());
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: k\r\n\r\nhello ";
        stream.write_all(agreed.as_bytes()).await.unwrap();
        let mut bytes = [0; 64];
        while let Ok(read @ 1..) = stream.read(&mut bytes).await {
            bytes[..read].make_ascii_uppercase();
            stream.write_all(&bytes[..read]).await.unwrap();
        }
    })
    .await
}

#[test]
fn a_tunnel_carries_bytes_both_ways_and_counts_them() {
    on_a_worker(async {
        let backend = shouting().await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let mut client = edge.connect();
        client.write_all(format!("{ASK}early ").as_bytes()).await.unwrap();
        client.write_all(b"late").await.unwrap();
        client.shutdown().await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert_eq!(status(&response), 101);
        assert_eq!(header(&response, "upgrade"), Some("websocket"));
        assert_eq!(header(&response, "connection"), Some("upgrade"));
        assert_eq!(header(&response, "sec-websocket-accept"), Some("k"));
        assert_eq!(body(&response), "hello EARLY LATE");
        assert!(backend.requests()[0].to_lowercase().contains("connection: upgrade\r\n"));
        let log = edge.finish().await;
        assert_eq!((&log[0]["status"], &log[0]["reason"]), (&101.into(), &serde_json::Value::Null));
        assert_eq!((&log[0]["request_bytes"], &log[0]["response_bytes"]), (&10.into(), &16.into()));
    });
}

#[test]
fn bytes_after_a_refused_upgrade_are_the_next_request() {
    on_a_worker(async {
        let backend = Backend::echo().await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let response = edge.send(&format!("{ASK}{}", get("/next", &[]))).await;
        assert_eq!(response.matches("HTTP/1.1 200 OK").count(), 2, "{response}");
        assert!(backend.requests()[1].starts_with("GET /next\n"));
    });
}

#[test]
fn an_upgrade_to_http2_is_not_asked_for() {
    on_a_worker(async {
        let backend = Backend::echo().await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let ask = "GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings, close\r\nupgrade: h2c\r\n\
                   http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
        let response = edge.send(ask).await;
        assert_eq!(status(&response), 200);
        assert!(!body(&response).contains("upgrade") && !body(&response).contains("http2"), "{response}");
    });
}

#[test]
fn a_silent_tunnel_ends() {
    on_a_worker(async {
        let backend = shouting().await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])])
            .backend("web", &[&backend])
            .limits(|limits| limits.stream_idle_timeout = Duration::from_millis(50))
            .start();
        let mut client = edge.connect();
        client.write_all(ASK.as_bytes()).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert_eq!(body(&response), "hello ");
        assert_eq!(edge.finish().await[0]["reason"], "stream_idle");
    });
}
