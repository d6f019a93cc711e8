//! Timeouts of rules.

use portway_config::HttpRule;
use portway_config::route::Retry;
use tokio::io::AsyncWriteExt;

use super::*;

const SHORT: Option<Duration> = Some(Duration::from_millis(60));

/// Never answers.
async fn silent() -> Backend {
    Backend::raw(|backend, mut stream, _| async move {
        if let Some(head) = backend::read_head(&mut stream).await {
            backend.note(head);
        }
        std::future::pending::<()>().await;
    })
    .await
}

async fn outcome(rule: HttpRule, backend: &Backend) -> (u16, serde_json::Value) {
    let edge = Plan::new(vec![rule]).backend("web", &[backend]).start();
    let response = edge.send(&get("/", &[])).await;
    (status(&response), edge.finish().await.remove(0))
}

#[test]
fn each_timeout_has_its_reason() {
    on_a_worker(async {
        let backend = silent().await;
        let request = HttpRule { request_timeout: SHORT, ..rule("/", vec![to("web")]) };
        let (status, log) = outcome(request, &backend).await;
        assert_eq!((status, log["reason"].as_str()), (504, Some("request_timeout")));
        let attempt = HttpRule { backend_timeout: SHORT, ..rule("/", vec![to("web")]) };
        let (status, log) = outcome(attempt, &backend).await;
        assert_eq!((status, log["reason"].as_str()), (504, Some("backend_timeout")));
    });
}

#[test]
fn attempts_time_out_each_for_itself_within_the_whole() {
    on_a_worker(async {
        let backend = silent().await;
        let retry = Some(Retry { codes: vec![], attempts: 20, backoff: Some(Duration::from_millis(1)) });
        let rule = HttpRule {
            request_timeout: Some(Duration::from_millis(250)),
            backend_timeout: SHORT,
            retry,
            ..rule("/", vec![to("web")])
        };
        let (status, log) = outcome(rule, &backend).await;
        assert_eq!((status, log["reason"].as_str()), (504, Some("request_timeout")));
        let attempts = log["attempts"].as_u64().unwrap();
        assert!((3..=5).contains(&attempts), "{attempts} attempts of 60 ms in 250 ms");
    });
}

#[test]
fn zero_is_no_timeout() {
    on_a_worker(async {
        let backend = Backend::named("fine").await;
        let zero = Some(Duration::ZERO);
        let rule = HttpRule { request_timeout: zero, backend_timeout: zero, ..rule("/", vec![to("web")]) };
        assert_eq!(outcome(rule, &backend).await.0, 200);
    });
}

#[test]
fn a_response_must_be_complete_in_time() {
    on_a_worker(async {
        let backend = Backend::raw(|_, mut stream, _| async move {
            backend::read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let request = HttpRule { request_timeout: SHORT, ..rule("/", vec![to("web")]) };
        let (status, log) = outcome(request, &backend).await;
        assert_eq!((status, log["reason"].as_str()), (200, Some("request_timeout")));
    });
}

#[test]
fn a_response_that_does_not_move_is_given_up() {
    on_a_worker(async {
        let backend = Backend::raw(|_, mut stream, _| async move {
            backend::read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])])
            .backend("web", &[&backend])
            .limits(|limits| limits.stream_idle_timeout = Duration::from_millis(60))
            .start();
        let response = edge.send(&get("/", &[])).await;
        assert_eq!(body(&response), "half");
        assert_eq!(edge.finish().await[0]["reason"], "stream_idle");
    });
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    on_a_worker(async {
        let backend = Backend::echo().await;
        let edge = Plan::new(vec![rule("/", vec![to("web")])])
            .backend("web", &[&backend])
            .limits(|limits| limits.stream_idle_timeout = Duration::from_millis(60))
            .start();
        let response = edge.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await;
        assert_eq!(status(&response), 504);
        assert_eq!(edge.finish().await[0]["reason"], "stream_idle");
    });
}
