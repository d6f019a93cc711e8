//! External authorization by HTTP.

use hyper::Response;
use portway_config::filter::{ExternalAuth, ExternalAuthProtocol, Filter};
use portway_config::key::BackendProtocol;
use portway_config::route::BackendTarget;
use portway_config::{HttpRule, Listener};
use std::sync::Arc;

use super::edge::{RuleExt, key, listener_key};
use super::*;

fn auth(max_body: u32, copied: &[&str]) -> Filter {
    Filter::ExternalAuth(ExternalAuth {
        target: BackendTarget::Backend(key("auth", BackendProtocol::Http1)),
        protocol: ExternalAuthProtocol::Http {
            path: "/check".into(),
            allowed_headers: vec!["x-tenant".into()],
            allowed_response_headers: copied.iter().map(|&name| name.into()).collect(),
        },
        max_body,
    })
}

fn guarded(max_body: u32, copied: &[&str]) -> HttpRule {
    rule("/", vec![to("web")]).filter(auth(max_body, copied))
}

/// Lets a user pass whose token is `ok`.
async fn server() -> Backend {
    Backend::new(|text| {
        let response = Response::builder().header("x-user", "alice").header("content-type", "text/html");
        if text.contains("authorization: ok\n") {
            response.body("go".to_owned()).unwrap()
        } else {
            response.status(401).header("www-authenticate", "Basic").body("who are you?".to_owned()).unwrap()
        }
    })
    .await
}

#[test]
fn what_the_server_allows_passes_with_its_headers() {
    on_a_worker(async {
        let (web, auth) = (Backend::echo().await, server().await);
        let edge = Plan::new(vec![guarded(0, &[])]).backend("web", &[&web]).backend("auth", &[&auth]).start();
        let lines = ["authorization: ok", "x-tenant: t", "x-other: o", "x-user: mallory"];
        let response = edge.send(&request("POST", "/a/%2e/b?c", &lines, "data")).await;
        let asked =
            "POST /check/a/b?c\nauthorization: ok\ncontent-length: 0\nhost: web.example\nx-tenant: t\n\n";
        assert_eq!(auth.requests(), [asked]);
        assert!(body(&response).contains("x-user: alice\n"), "{response}");
        assert!(!body(&response).contains("mallory"));
        assert!(!body(&response).contains("text/html"), "the answer's own content is not the request's");
        assert!(body(&response).ends_with("\n\ndata"));
    });
}

#[test]
fn what_it_denies_is_answered_with_its_words() {
    on_a_worker(async {
        let (web, auth) = (Backend::echo().await, server().await);
        let edge = Plan::new(vec![guarded(0, &[])]).backend("web", &[&web]).backend("auth", &[&auth]).start();
        let response = edge.send(&get("/", &["authorization: no"])).await;
        assert_eq!(status(&response), 401);
        assert_eq!(header(&response, "www-authenticate"), Some("Basic"));
        assert_eq!(body(&response), "who are you?");
        assert!(web.requests().is_empty());
        assert_eq!(edge.finish().await[0]["reason"], "auth_denied");
    });
}

#[test]
fn the_body_is_sent_along_up_to_its_cap() {
    on_a_worker(async {
        let (web, auth) = (Backend::echo().await, server().await);
        let edge = Plan::new(vec![guarded(4, &["x-user"])])
            .backend("web", &[&web])
            .backend("auth", &[&auth])
            .start();
        let response = edge.send(&request("POST", "/", &["authorization: ok"], "data")).await;
        assert!(body(&response).ends_with("\n\ndata"), "{response}");
        assert!(
            auth.requests()[0].contains("content-length: 4\n") && auth.requests()[0].ends_with("\n\ndata")
        );
        let response = edge.send(&request("POST", "/", &["authorization: ok"], "data!")).await;
        assert_eq!(status(&response), 413);
        assert_eq!(web.requests().len(), 1);
    });
}

#[test]
fn headers_that_only_the_server_may_set_are_not_believed() {
    on_a_worker(async {
        let web = Backend::echo().await;
        let silent = Backend::named("yes").await;
        let edge = Plan::new(vec![guarded(0, &["x-user"])])
            .backend("web", &[&web])
            .backend("auth", &[&silent])
            .start();
        let response = edge.send(&get("/", &["x-user: mallory"])).await;
        assert_eq!(status(&response), 200);
        assert!(!body(&response).contains("mallory"), "{response}");
    });
}

#[test]
fn whatever_goes_wrong_denies() {
    on_a_worker(async {
        let web = Backend::echo().await;
        let broken: [&'static [u8]; 4] = [
            b"",
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
        ];
        for answer in broken {
            let auth = Backend::answering(answer).await;
            let edge =
                Plan::new(vec![guarded(0, &[])]).backend("web", &[&web]).backend("auth", &[&auth]).start();
            assert_eq!(status(&edge.send(&get("/", &[])).await), 403, "{answer:?}");
        }
        let slow = silent().await;
        let edge = Plan::new(vec![guarded(0, &[])])
            .backend("web", &[&web])
            .backend("auth", &[&slow])
            .limits(|limits| limits.external_auth_timeout = Duration::from_millis(50))
            .start();
        assert_eq!(status(&edge.send(&get("/", &[])).await), 403);
        assert_eq!(edge.finish().await[0]["reason"], "auth_error");
        let edge = Plan::new(vec![guarded(0, &[])]).backend("web", &[&web]).start();
        assert_eq!(status(&edge.send(&get("/", &[])).await), 403, "there is no server");
        assert!(web.requests().is_empty());
    });
}

async fn silent() -> Backend {
    Backend::raw(|_, stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

#[test]
fn the_time_of_the_request_is_that_of_the_question_too() {
    on_a_worker(async {
        let (web, slow) = (Backend::echo().await, silent().await);
        let guarded = HttpRule { request_timeout: Some(Duration::from_millis(50)), ..guarded(9, &[]) };
        let edge = Plan::new(vec![guarded]).backend("web", &[&web]).backend("auth", &[&slow]).start();
        assert_eq!(status(&edge.send(&get("/", &[])).await), 504);
        assert_eq!(edge.finish().await[0]["reason"], "request_timeout");
        assert!(web.requests().is_empty());
    });
}

#[test]
fn a_listener_asks_before_the_route_is_chosen() {
    on_a_worker(async {
        let (web, auth_server) = (Backend::named("alice's").await, server().await);
        let mut hers = rule("/", vec![to("web")]);
        hers.matches[0].headers = vec![portway_config::request_match::NamedMatch {
            name: "x-user".into(),
            value: portway_config::request_match::ValueMatch::Exact("alice".into()),
        }];
        let mut plan = Plan::new(vec![hers]).backend("web", &[&web]).backend("auth", &[&auth_server]);
        let listener = plan.configuration.listeners.get_mut(&listener_key("http")).unwrap();
        let filters = vec![auth(0, &["x-user"])];
        *listener = Arc::new(Listener { filters, ..Listener::clone(listener) });
        let edge = plan.start();
        assert_eq!(body(&edge.send(&get("/", &["authorization: ok"])).await), "alice's");
        assert_eq!(status(&edge.send(&get("/", &["x-user: alice"])).await), 401);
    });
}
