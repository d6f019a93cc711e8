use portway_api::route::{CookieConfig, HeaderConfig};

use super::*;

fn invalid(translate: impl FnOnce(&mut Problems)) -> Vec<String> {
    let mut problems = Problems::default();
    translate(&mut problems);
    problems.invalid.into_iter().map(|it| it.field).collect()
}

fn given(request: Option<&str>, backend_request: Option<&str>) -> HttpRouteTimeouts {
    let (request, backend_request) = (request.map(str::to_owned), backend_request.map(str::to_owned));
    HttpRouteTimeouts { request, backend_request }
}

#[test]
fn an_attempt_takes_no_longer_than_the_request() {
    let faults = |it: &HttpRouteTimeouts| {
        invalid(|problems| {
            timeouts(Some(it), &Field::SPEC, problems);
        })
    };
    assert!(faults(&given(Some("10s"), Some("10s"))).is_empty());
    assert!(faults(&given(Some("0s"), Some("10s"))).is_empty());
    assert!(faults(&given(None, Some("10s"))).is_empty());
    assert_eq!(faults(&given(Some("10s"), Some("11s"))), ["spec.timeouts.backendRequest"]);
    assert_eq!(
        faults(&given(Some("1"), Some("x"))),
        ["spec.timeouts.request", "spec.timeouts.backendRequest"]
    );
}

#[test]
fn a_retry_stanza_retries_once_unless_it_says_otherwise() {
    let mut problems = Problems::default();
    let defaults = retry(Some(&HttpRouteRetry::default()), &Field::SPEC, &mut problems).unwrap();
    assert_eq!((defaults.attempts, defaults.backoff), (1, None));
    let none = HttpRouteRetry { attempts: Some(0), ..Default::default() };
    assert_eq!(retry(Some(&none), &Field::SPEC, &mut problems).unwrap().attempts, 0);
    assert!(problems.invalid.is_empty());
    assert!(retry(None, &Field::SPEC, &mut problems).is_none());
}

#[test]
fn only_errors_are_retried() {
    let it = HttpRouteRetry { codes: vec![399, 400, 599, 600], attempts: Some(-1), backoff: None };
    let faults = invalid(|problems| {
        retry(Some(&it), &Field::SPEC, problems);
    });
    assert_eq!(faults, ["spec.retry.codes[0]", "spec.retry.codes[3]", "spec.retry.attempts"]);
}

fn session(it: &ApiSessionPersistence, identity: &str) -> (Option<SessionPersistence>, Vec<String>) {
    let mut problems = Problems::default();
    let session = session_persistence(Some(it), identity, &Field::SPEC, &mut problems);
    (session, problems.invalid.into_iter().map(|it| it.field).collect())
}

#[test]
fn a_cookie_without_a_name_gets_one_of_its_own_that_stays() {
    let name = |identity| match session(&ApiSessionPersistence::default(), identity).0.unwrap().carrier {
        SessionCarrier::Cookie { name, path, permanent: false } if &*path == "/" => name,
        other => panic!("{other:?}"),
    };
    // Cookies outlive a version of Portway: the name must never change.
    assert_eq!(&*name("HTTPRoute shop/store 0"), "portway-session-f418c19f0ca37304");
    assert_ne!(name("HTTPRoute shop/store 0"), name("HTTPRoute shop/store 1"));
}

#[test]
fn a_permanent_cookie_needs_an_end() {
    let cookie = CookieConfig { lifetime_type: CookieLifetimeType::Permanent, ..Default::default() };
    let mut it = ApiSessionPersistence { cookie: Some(cookie), ..Default::default() };
    assert_eq!(session(&it, "").1, ["spec.sessionPersistence.cookie.lifetimeType"]);
    it.absolute_timeout = Some("1h".to_owned());
    assert!(session(&it, "").1.is_empty());
}

#[test]
fn type_and_field_belong_together() {
    let header = HeaderConfig { name: "X-Session".to_owned() };
    let mut it = ApiSessionPersistence { header: Some(header), ..Default::default() };
    assert_eq!(session(&it, "").1, ["spec.sessionPersistence.header"]);
    it.kind = SessionPersistenceType::Header;
    assert_eq!(session(&it, "").0.unwrap().carrier, SessionCarrier::Header("x-session".into()));
    it.header = None;
    assert_eq!(session(&it, "").1, ["spec.sessionPersistence.header"]);
}
