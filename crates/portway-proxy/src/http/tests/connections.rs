//! How connections end.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;

fn short(edge: Plan) -> Plan {
    edge.limits(|limits| {
        limits.request_header_timeout = Duration::from_millis(100);
        limits.downstream_idle_timeout = Duration::from_millis(300);
    })
}

async fn read_all(mut client: impl AsyncReadExt + Unpin) -> String {
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn a_head_must_come_in_time_and_so_must_the_first() {
    on_a_worker(async {
        for begin in ["", "G", "GET / HTTP/1.1\r\nhost: a\r\n"] {
            let edge = short(Plan::new(vec![])).start();
            let mut client = edge.connect();
            client.write_all(begin.as_bytes()).await.unwrap();
            let begun = Instant::now();
            read_all(client).await;
            let took = begun.elapsed().as_millis();
            assert!((80..250).contains(&took), "{begin:?} took {took} ms");
        }
    });
}

#[test]
fn dripping_a_head_does_not_help() {
    on_a_worker(async {
        let edge = short(Plan::new(vec![])).start();
        let (reader, mut writer) = tokio::io::split(edge.connect());
        tokio::task::spawn_local(async move {
            for byte in get("/", &[]).bytes() {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if writer.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        });
        let begun = Instant::now();
        read_all(reader).await;
        assert!(begun.elapsed().as_millis() < 250);
    });
}

#[test]
fn an_idle_connection_ends_later() {
    on_a_worker(async {
        let edge = short(Plan::new(vec![])).start();
        let mut client = edge.connect();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let begun = Instant::now();
        assert_eq!(status(&read_all(client).await), 404);
        let took = begun.elapsed().as_millis();
        assert!((250..600).contains(&took), "took {took} ms");
    });
}

#[test]
fn a_slow_response_is_not_idleness() {
    on_a_worker(async {
        let backend = Backend::raw(|_, mut stream, _| async move {
            backend::read_head(&mut stream).await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        })
        .await;
        let edge = short(Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend])).start();
        assert_eq!(body(&edge.send(&get("/", &[])).await), "ok");
    });
}

#[test]
fn draining_ends_idle_connections_now_and_busy_ones_after_their_response() {
    on_a_worker(async {
        let backend = Backend::raw(|backend, mut stream, _| async move {
            backend.note(backend::read_head(&mut stream).await.unwrap());
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        })
        .await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[&backend]).start();
        let mut idle = edge.connect();
        let mut busy = edge.connect();
        busy.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        idle.write_all(b"GET /x%00 HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        backend.wait_for(1).await;
        edge.drain.drain();
        assert_eq!(status(&read_all(idle).await), 400);
        let response = read_all(busy).await;
        assert_eq!(body(&response), "ok");
        assert_eq!(header(&response, "connection"), Some("close"));
        edge.finish().await;
    });
}
