//! Retries.

use std::cell::Cell;
use std::rc::Rc;

use hyper::{Response, StatusCode};
use portway_config::HttpRule;
use portway_config::key::BackendProtocol;
use portway_config::route::Retry;

use super::*;

fn retrying(codes: &[u16], attempts: u32) -> HttpRule {
    let retry = Retry { codes: codes.to_vec(), attempts, backoff: Some(Duration::from_millis(1)) };
    HttpRule { retry: Some(retry), ..rule("/", vec![to("web")]) }
}

/// Fails with 503 so many times, and then echoes.
async fn failing(times: usize) -> Backend {
    let count = Rc::new(Cell::new(0));
    Backend::new(move |text| {
        let nth = count.replace(count.get() + 1);
        let mut response = Response::new(text.to_owned());
        if nth < times {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    })
    .await
}

#[test]
fn a_status_is_retried_with_the_same_body() {
    on_a_worker(async {
        let backend = failing(2).await;
        let edge = Plan::new(vec![retrying(&[503], 2)]).backend("web", &[&backend]).start();
        let response = edge.send(&request("POST", "/", &[], "hello")).await;
        assert_eq!(status(&response), 200);
        let requests = backend.requests();
        assert_eq!(requests.len(), 3);
        assert!(requests.iter().all(|it| *it == requests[0] && it.ends_with("\n\nhello")), "{requests:?}");
        assert_eq!(edge.finish().await[0]["attempts"], 3);
    });
}

#[test]
fn the_last_response_counts_when_attempts_run_out() {
    on_a_worker(async {
        let backend = failing(9).await;
        let edge = Plan::new(vec![retrying(&[503], 2)]).backend("web", &[&backend]).start();
        let response = edge.send(&get("/", &[])).await;
        assert_eq!(status(&response), 503);
        assert!(body(&response).starts_with("GET /"), "the backend's own words");
        assert_eq!(backend.requests().len(), 3);
    });
}

#[test]
fn other_statuses_and_rules_without_retry_are_not_retried() {
    on_a_worker(async {
        let backend = failing(9).await;
        let edge = Plan::new(vec![retrying(&[500], 2)]).backend("web", &[&backend]).start();
        assert_eq!(status(&edge.send(&get("/", &[])).await), 503);
        assert_eq!(backend.requests().len(), 1);
    });
}

#[test]
fn an_endpoint_that_cannot_be_reached_gives_way_to_another() {
    on_a_worker(async {
        let backend = Backend::named("alive").await;
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let edge = Plan::new(vec![retrying(&[], 1)])
            .endpoints("web", BackendProtocol::Http1, &[closed, backend.address])
            .start();
        for _ in 0..4 {
            assert_eq!(body(&edge.send(&request("POST", "/", &[], "x")).await), "alive");
        }
    });
}

#[test]
fn a_body_that_is_too_large_to_keep_is_sent_once() {
    on_a_worker(async {
        let backend = failing(9).await;
        let edge = Plan::new(vec![retrying(&[503], 2)])
            .backend("web", &[&backend])
            .limits(|limits| limits.replay_body_bytes = 4)
            .start();
        assert_eq!(status(&edge.send(&request("POST", "/", &[], "hello")).await), 503);
        assert_eq!(backend.requests().len(), 1);
    });
}

#[test]
fn a_budget_bounds_retries() {
    on_a_worker(async {
        let backend = failing(1000).await;
        let edge = Plan::new(vec![retrying(&[503], 5)])
            .backend("web", &[&backend])
            .limits(|limits| limits.retry_budget_min_per_second = 1)
            .start();
        for _ in 0..20 {
            edge.send(&get("/", &[])).await;
        }
        assert_eq!(backend.requests().len(), 20 + 10, "one a second over ten seconds");
    });
}
