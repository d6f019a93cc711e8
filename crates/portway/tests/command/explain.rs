//! `portway explain`.

use crate::manifest;
use crate::portway::{Portway, output};

fn explain(paths: &str, request: &[&str]) -> (i32, String) {
    let (code, text, error) = output([&["explain", paths, "--"], request].concat());
    (code, text.replace(&manifest(""), "") + &error.replace(&manifest(""), ""))
}

#[test]
fn the_winner_and_every_loser_are_told() {
    let (code, text) = explain("examples/matching", &["http://store.example.com/cart", "-H", "x-beta: 1"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(text);
}

#[test]
fn filters_weights_and_tls_are_told() {
    let (code, text) = explain("examples/canary", &["GET", "http://store.example.com/"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("canary", text);
    let (code, text) = explain("examples/https-redirect", &["http://store.example.com/cart"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!("redirect", text);
    let (code, text) =
        explain("examples/https-redirect", &["https://store.example.com/", "--sni", "other.example.org"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!("other-server-name", text);
}

#[test]
fn who_takes_a_connection_is_told() {
    let (code, text) = explain("examples/tcp", &["http://store.example.com:6379/"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("through  the kernel: where `portway run --ebpf` or the agent"), "{text}");
    let (_, text) = explain("examples/tcp", &["http://store.example.com:6379/", "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["gateways"][0]["path"]["path"], "kernel");
}

#[test]
fn a_route_that_is_not_attached_is_told() {
    let (code, text) = explain(&manifest("my-app-same.yaml"), &["http://myapp.example.com/"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(text);
}

#[test]
fn a_listener_without_its_certificate_is_told() {
    let request = &["https://store.example.com/"];
    let (code, text) = explain(&manifest("no-certificate.yaml"), request);
    assert_eq!(code, 1);
    insta::assert_snapshot!(text);
    let (_, json) = explain(&manifest("no-certificate.yaml"), &[request[0], "-o", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let names: Vec<_> =
        report["notServed"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["listener https of Gateway shop/edge", "HTTPRoute shop/wrong"]);
}

#[test]
fn what_is_no_request_is_told() {
    for request in [&["ftp://a/"] as &[_], &["http://a/", "-H", "x"], &["GET", "a b", "c"], &["http://a/%2f"]]
    {
        let (code, text) = explain("examples/my-app", request);
        assert_eq!(code, 2, "{request:?}: {text}");
        assert!(text.contains("error"), "{text}");
    }
    assert_eq!(explain("does/not/exist", &["http://a/"]).0, 2);
}

/// What is explained is what happens.
#[test]
fn json_agrees_with_the_traffic() {
    let portway = Portway::run(["examples/matching", "--demo-backends", "--access-log", "json"]);
    for (url, header) in [
        ("http://store.example.com/", "x-none: 1"),
        ("http://store.example.com/cart", "x-none: 1"),
        ("http://store.example.com/orders/12", "x-none: 1"),
        ("http://store.example.com/cart/", "x-beta: true"),
        ("http://other.example.com/", "x-none: 1"),
    ] {
        let (_, text) = explain("examples/matching", &[url, "-H", header, "-o", "json"]);
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let explained = &report["gateways"][0];
        let answer =
            crate::curl::curl([portway.connect_to(), vec!["-H".into(), header.into(), url.into()]].concat());
        match explained["status"].as_u64() {
            Some(status) => assert_eq!(u64::from(answer.status), status, "{url}"),
            None => {
                let backend = explained["winner"]["backends"][0]["backend"].as_str().unwrap();
                let name = backend.rsplit('/').next().unwrap().split(':').next().unwrap();
                assert!(answer.body.contains(&format!("Server name: {name}-")), "{url}: {text} {answer:?}");
            }
        }
    }
}
