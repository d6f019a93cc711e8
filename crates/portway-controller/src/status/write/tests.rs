use std::sync::Mutex;

use tokio::time::{sleep, sleep_until};

use super::*;
use crate::fake_api;
use crate::limits::STATUS_INTERVAL;

#[test]
fn a_write_that_was_refused_is_known_again_whenever_it_is_made() {
    let patch = |version: &str, status: &str, time: &str| StatusPatch {
        object: ObjectRef::cluster("GatewayClass", "portway"),
        resource_version: Some(version.to_owned()),
        is_conditional: false,
        status: json!({"conditions": [{"type": "Accepted", "status": status, "lastTransitionTime": time}]}),
    };
    let message = "not today".to_owned();
    let (until, pause) = (Instant::now(), REFUSED_PAUSE);
    let refusal = Refusal { patch: patch("7", "True", "12:00:00"), until, pause, message, times: 1 };
    assert!(refusal.is_of(&patch("7", "True", "12:00:09")));
    assert!(!refusal.is_of(&patch("7", "False", "12:00:00")));
    // The object is another: what refuses it may look at that.
    assert!(!refusal.is_of(&patch("8", "True", "12:00:00")));
}

/// An API server that takes statuses of Gateways.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    /// When each write came, and what it said of the number of routes.
    writes: Vec<(Instant, u64)>,
    /// What it answers with instead of taking a write.
    refuses: Option<u16>,
}

impl Server {
    fn writer(&self) -> StatusWriter {
        let server = self.clone();
        let client = fake_api::client(move |method, path, body| {
            assert_eq!(method, "PATCH");
            assert!(path.contains("/namespaces/infra/gateways/edge/status?"), "{path}");
            let mut taken = server.0.lock().unwrap();
            let routes = body["status"]["listeners"][0]["attachedRoutes"].as_u64().unwrap();
            taken.writes.push((Instant::now(), routes));
            match taken.refuses {
                Some(code) => fake_api::refusal(code, "not now"),
                None => {
                    let mut written = body;
                    written["metadata"]["resourceVersion"] = taken.writes.len().to_string().into();
                    written["metadata"]["namespace"] = "infra".into();
                    written["spec"] = json!({"gatewayClassName": "portway", "listeners": []});
                    (200, written)
                }
            }
        });
        let store = Arc::new(Store::default());
        store.set_version("Gateway", Some("v1".to_owned()));
        StatusWriter::new(client, store, Metrics::default())
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().writes.len()
    }

    fn last(&self) -> Option<(Instant, u64)> {
        self.0.lock().unwrap().writes.last().copied()
    }
}

/// No status is held back.
fn nobody(_: &ObjectRef) -> bool {
    false
}

/// What is to be written when so many routes are attached; None where that is written already.
fn attached(server: &Server, routes: u64) -> Vec<StatusPatch> {
    if server.last().is_some_and(|(_, written)| written == routes) {
        return Vec::new();
    }
    vec![StatusPatch {
        object: ObjectRef {
            kind: "Gateway".to_owned(),
            namespace: Some("infra".to_owned()),
            name: "edge".to_owned(),
        },
        resource_version: Some(server.count().to_string()),
        is_conditional: false,
        status: json!({"listeners": [{"name": "http", "attachedRoutes": routes}]}),
    }]
}

#[tokio::test(start_paused = true)]
async fn many_routes_at_once_make_few_writes_and_the_count_is_right_soon() {
    let server = Server::default();
    let mut writer = server.writer();
    let begun = Instant::now();
    let mut again = None;
    for routes in 1..=5000 {
        again = writer.write(attached(&server, routes), nobody).await;
        if routes == 1 {
            assert_eq!(server.count(), 1, "the first is written at once");
        }
        sleep(Duration::from_millis(1)).await;
    }
    let end = Instant::now();
    sleep_until(again.expect("there is more to write")).await;
    assert_eq!(writer.write(attached(&server, 5000), nobody).await, None);
    let (at, routes) = server.last().unwrap();
    assert_eq!(routes, 5000);
    assert!(at - end <= STATUS_INTERVAL, "{:?} after the last route", at - end);
    let intervals = (end - begun).as_millis() / STATUS_INTERVAL.as_millis();
    assert!(server.count() as u128 <= intervals + 2, "{} writes in {intervals} intervals", server.count());
}

#[tokio::test(start_paused = true)]
async fn single_changes_are_written_at_once() {
    let server = Server::default();
    let mut writer = server.writer();
    for routes in 1..=10 {
        assert_eq!(writer.write(attached(&server, routes), nobody).await, None);
        assert_eq!(server.last(), Some((Instant::now(), routes)));
        sleep(STATUS_INTERVAL).await;
    }
}

/// An API server that comes back after an absence gets what it missed soon, and one that fails for long is not flooded.
#[tokio::test(start_paused = true)]
async fn what_the_api_server_could_not_take_is_tried_again_soon_and_then_less_often() {
    for (code, first) in
        [(503, UNAVAILABLE_PAUSE), (500, UNAVAILABLE_PAUSE), (429, UNAVAILABLE_PAUSE), (422, REFUSED_PAUSE)]
    {
        let server = Server::default();
        server.0.lock().unwrap().refuses = Some(code);
        let mut writer = server.writer();
        let patch = || {
            let mut patches = attached(&Server::default(), 7);
            patches[0].resource_version = Some("1".to_owned());
            patches
        };
        let begun = Instant::now();
        let again = writer.write(patch(), nobody).await.unwrap();
        assert_eq!(again - begun, first, "{code}");
        while begun.elapsed() < Duration::from_secs(600) {
            let again = writer.write(patch(), nobody).await.unwrap();
            sleep_until(again).await;
        }
        assert!((20..=26).contains(&server.count()), "{code}: {} writes in ten minutes", server.count());
        server.0.lock().unwrap().refuses = None;
        sleep(REFUSED_PAUSE).await;
        assert_eq!(writer.write(patch(), nobody).await, None);
    }
}

/// An API server that has just begun refuses everything until it knows roles, in the words in which it tells of a missing
/// permission; webhooks refuse with the same status.
#[test]
fn a_permission_is_missed_when_it_is_refused_again_and_again() {
    let error = |message: &str| {
        Error::Api(Box::new(kube::core::Status {
            message: message.to_owned(),
            code: 403,
            ..Default::default()
        }))
    };
    let refusal = |times| {
        let (patch, until) = (attached(&Server::default(), 7).remove(0), Instant::now());
        Refusal { patch, until, pause: UNAVAILABLE_PAUSE, message: String::new(), times }
    };
    let rbac =
        error(r#"gateways "edge" is forbidden: User "portway" cannot patch resource "gateways/status""#);
    assert_eq!(Refusal::pause(&rbac, None), UNAVAILABLE_PAUSE);
    let told: Vec<_> = (1..=5).filter(|times| refusal(*times).is_to_be_told(&rbac)).collect();
    assert_eq!(told, [REFUSALS]);
    let webhook = error("admission webhook \"quiet.example.com\" denied the request");
    assert_eq!(Refusal::pause(&webhook, None), REFUSED_PAUSE);
    let told: Vec<_> = (1..=5).filter(|times| refusal(*times).is_to_be_told(&webhook)).collect();
    assert_eq!(told, [1]);
}
