use std::sync::Arc;

use super::*;

fn list(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|&name| name.into()).collect()
}

fn policy(origins: &[&str], credentials: bool, all: &[&str]) -> CorsPolicy {
    CorsPolicy::compile(&Cors {
        allow_origins: list(origins),
        allow_credentials: credentials,
        allow_methods: list(all),
        allow_headers: list(all),
        expose_headers: list(all),
        max_age: 60,
    })
    .unwrap()
}

/// Applies to a response whose backend has said something else.
fn answer(policy: &CorsPolicy, method: Method, fields: &[(HeaderName, &'static str)]) -> Vec<String> {
    let mut request = HeaderMap::new();
    fields.iter().for_each(|(name, value)| drop(request.insert(name, HeaderValue::from_static(value))));
    let mut response = HeaderMap::new();
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("https://backend.example"));
    policy.apply(&CrossOrigin::of(&method, &request), &mut response);
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{}: {}", name.as_str().trim_start_matches("access-control-"), value.to_str().unwrap())
    };
    let mut lines: Vec<_> = response.iter().map(line).collect();
    lines.sort();
    lines
}

const ORIGIN: (HeaderName, &str) = (header::ORIGIN, "https://foo.example");
const ASKS_PUT: (HeaderName, &str) = (header::ACCESS_CONTROL_REQUEST_METHOD, "PUT");
const ASKS_HEADERS: (HeaderName, &str) = (header::ACCESS_CONTROL_REQUEST_HEADERS, "x-a, x-b");

#[test]
fn a_listed_origin_is_named_and_lists_are_told() {
    let policy = policy(&["https://foo.example"], true, &["GET", "PUT"]);
    let preflight = answer(&policy, Method::OPTIONS, &[ORIGIN, ASKS_PUT, ASKS_HEADERS]);
    let expected = [
        "allow-credentials: true",
        "allow-headers: GET, PUT",
        "allow-methods: GET, PUT",
        "allow-origin: https://foo.example",
        "expose-headers: GET, PUT",
        "max-age: 60",
        "vary: origin",
    ];
    assert_eq!(preflight, expected);
    let actual = answer(&policy, Method::PUT, &[ORIGIN]);
    let expected = [
        "allow-credentials: true",
        "allow-origin: https://foo.example",
        "expose-headers: GET, PUT",
        "vary: origin",
    ];
    assert_eq!(actual, expected);
}

#[test]
fn another_origin_is_told_nothing() {
    let policy = policy(&["https://foo.example"], true, &["*"]);
    let other = (header::ORIGIN, "https://evil.example");
    assert_eq!(answer(&policy, Method::OPTIONS, &[other, ASKS_PUT]), ["vary: origin"]);
    assert_eq!(answer(&policy, Method::GET, &[]), ["vary: origin"]);
}

#[test]
fn without_credentials_wildcards_are_told() {
    let policy = policy(&["*"], false, &["*"]);
    let preflight = answer(&policy, Method::OPTIONS, &[ORIGIN, ASKS_PUT]);
    let expected =
        ["allow-headers: *", "allow-methods: *", "allow-origin: *", "expose-headers: *", "max-age: 60"];
    assert_eq!(preflight, expected);
}

#[test]
fn with_credentials_what_was_asked_for_is_told() {
    let policy = policy(&["*"], true, &["*"]);
    let preflight = answer(&policy, Method::OPTIONS, &[ORIGIN, ASKS_PUT, ASKS_HEADERS]);
    let expected = [
        "allow-credentials: true",
        "allow-headers: x-a, x-b",
        "allow-methods: PUT",
        "allow-origin: https://foo.example",
        "max-age: 60",
        "vary: origin",
    ];
    assert_eq!(preflight, expected);
    let without_headers = answer(&policy, Method::OPTIONS, &[ORIGIN, ASKS_PUT]);
    assert!(!without_headers.iter().any(|line| line.starts_with("allow-headers")));
}

#[test]
fn a_preflight_is_options_with_origin_and_method() {
    let is = |method: Method, fields: &[(HeaderName, &'static str)]| {
        let headers =
            fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        CrossOrigin::of(&method, &headers).preflight
    };
    assert!(is(Method::OPTIONS, &[ORIGIN, ASKS_PUT]));
    assert!(!is(Method::OPTIONS, &[ORIGIN]));
    assert!(!is(Method::OPTIONS, &[ASKS_PUT]));
    assert!(!is(Method::GET, &[ORIGIN, ASKS_PUT]));
}
