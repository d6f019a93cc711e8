//! Listeners by host, shares by weight, new configurations.

use portway_config::RouteKind;
use portway_config::route::{BackendTarget, Fault, FaultReason};

use super::*;

#[test]
fn the_most_specific_listener_serves_and_no_other() {
    on_a_worker(async {
        let backend = Backend::named("wild").await;
        let edge = Plan::new(vec![rule("/any", vec![to("web")])])
            .listener("wild", "*.example")
            .listener("exact", "a.example")
            .route("wild", RouteKind::Http, &["wild"], vec![rule("/", vec![to("web")])])
            .backend("web", &[&backend])
            .start();
        assert_eq!(body(&edge.send(&get("/", &["host: B.example:8080"])).await), "wild");
        assert_eq!(status(&edge.send(&get("/", &["host: a.example"])).await), 404);
        assert_eq!(status(&edge.send(&get("/any", &["host: other.test"])).await), 200);
        let reasons: Vec<_> = edge.finish().await.iter().map(|line| line["listener"].clone()).collect();
        assert_eq!(reasons, ["wild", "exact", "http"]);
    });
}

#[test]
fn shares_are_exact_and_an_invalid_backend_answers_its_own() {
    on_a_worker(async {
        let (a, b) = (Backend::named("a").await, Backend::named("b").await);
        let mut weighted = [to("a"), to("b"), to("gone"), to("never")];
        for (backend, weight) in weighted.iter_mut().zip([60, 30, 10, 0]) {
            backend.weight = weight;
        }
        weighted[2].target =
            BackendTarget::Invalid(Fault { reason: FaultReason::BackendNotFound, message: "made up".into() });
        let edge =
            Plan::new(vec![rule("/", weighted.to_vec())]).backend("a", &[&a]).backend("b", &[&b]).start();
        let mut refused = 0;
        for _ in 0..30 {
            refused += usize::from(status(&edge.send(&get("/", &[])).await) == 500);
        }
        assert_eq!((a.requests().len(), b.requests().len(), refused), (18, 9, 3));
    });
}

#[test]
fn a_new_configuration_serves_the_next_request_of_an_open_connection() {
    on_a_worker(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (a, b) = (Backend::named("old").await, Backend::named("new").await);
        let plan = |backend| Plan::new(vec![rule("/", vec![to("web")])]).backend("web", &[backend]);
        let edge = plan(&a).start();
        let mut client = edge.connect();
        for (expected, next) in [("old", Some(&b)), ("new", None)] {
            client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
            let mut response = String::new();
            while !response.ends_with(expected) {
                let mut chunk = [0; 1024];
                let read = client.read(&mut chunk).await.unwrap();
                assert_ne!(read, 0, "{response}");
                response.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
            }
            if let Some(next) = next {
                edge.reload(plan(next));
            }
        }
        drop(client);
        let revisions: Vec<_> = edge.finish().await.iter().map(|line| line["revision"].clone()).collect();
        assert_eq!(revisions, [7, 8]);
    });
}

#[test]
fn each_request_of_a_connection_meets_the_listener_of_its_own_host() {
    on_a_worker(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let backend = Backend::named("wild").await;
        let plan = |wild: &'static str| {
            Plan::new(vec![])
                .listener("m-exact", "a.example")
                .listener(wild, "*.example")
                .route("wild", RouteKind::Http, &[wild], vec![rule("/", vec![to("web")])])
                .backend("web", &[&backend])
        };
        let edge = plan("z-wild").start();
        let mut client = edge.connect();
        let requests =
            [("b.example", "wild"), ("a.example", "\n"), ("b.example", "wild"), ("b.example", "wild")];
        for (nth, (host, end)) in requests.into_iter().enumerate() {
            if nth == 3 {
                // The listeners, sorted by name, have other places now.
                edge.reload(plan("a-wild"));
            }
            client.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
            let mut response = String::new();
            while !(response.contains("\r\n\r\n") && response.ends_with(end))
                || response.ends_with("\r\n\r\n")
            {
                let mut chunk = [0; 1024];
                let read = client.read(&mut chunk).await.unwrap();
                assert_ne!(read, 0, "{response}");
                response.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
            }
        }
        drop(client);
        let listeners: Vec<_> = edge.finish().await.iter().map(|line| line["listener"].clone()).collect();
        assert_eq!(listeners, ["z-wild", "m-exact", "z-wild", "a-wild"]);
    });
}
