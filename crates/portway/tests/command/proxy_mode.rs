//! `portway proxy`: what a controller says is served, and it is told what came of it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use portway_config::request_match::PathMatch;
use portway_xds::ResourceKey;

use crate::controller::{Controller, backend, configuration, endpoints, listener_key, route_key};
use crate::curl::curl;
use crate::eventually;
use crate::portway::{ADMIN_PORT, Portway};

const PORT: u16 = 18_080;

fn all() -> PathMatch {
    PathMatch::Prefix("".into())
}

fn get(proxy: &Portway, port: u16) -> (u16, String) {
    let answer = curl(["--max-time", "5", &format!("http://{}:{port}/x", proxy.address)]);
    (answer.status, answer.body)
}

#[test]
fn what_the_controller_says_is_served() {
    let controller = Controller::start();
    let mut proxy = controller.proxy(&[]);
    // There is nothing to serve yet.
    let readyz = eventually("the admin server", || {
        let answer = curl(["--max-time", "1", &proxy.admin_url("/readyz")]);
        (answer.status != 0).then_some(answer.status)
    });
    assert_eq!(readyz, 503);
    let revision = controller.publish(&configuration(&[PORT], all(), backend("one")));
    proxy.until_ready();
    assert_eq!(get(&proxy, PORT), (200, "one".to_owned()));
    assert!(controller.acknowledged(revision).refused.is_empty());
    let line = eventually("the line of the access log", || proxy.stdout().lines().next().map(str::to_owned));
    assert!(line.contains("1000"), "{line}");
    assert_eq!(proxy.revision(), 1000);

    controller.publisher.publish_endpoints(&std::sync::Arc::new(endpoints(backend("two"))));
    eventually("the other endpoint", || (get(&proxy, PORT).1 == "two").then_some(()));
}

#[test]
fn a_proxy_starts_from_its_disk_when_the_controller_is_away() {
    let mut controller = Controller::start();
    let mut proxy = controller.proxy(&["--drain-delay", "0s"]);
    controller.publish(&configuration(&[PORT], all(), backend("kept")));
    proxy.until_ready();
    eventually("the saved configuration", || {
        controller.state_dir().join("configuration").exists().then_some(())
    });
    controller.stop();
    assert_eq!(get(&proxy, PORT).0, 200);
    proxy.signal("KILL");
    proxy.wait();

    let mut proxy = controller.proxy(&[]);
    proxy.until_ready();
    assert_eq!(get(&proxy, PORT), (200, "kept".to_owned()));
    assert_eq!(proxy.revision(), 1000);
}

#[test]
fn a_damaged_or_foreign_saved_configuration_is_ignored_with_a_message() {
    let controller = Controller::start();
    std::fs::create_dir(controller.state_dir()).unwrap();
    for (content, message) in [
        ("", "it is damaged"),
        ("portway-configuration/2\nx", "it is damaged"),
        ("portway-configuration/1 00\nx", "another format, `portway-configuration/1 00`"),
        ("portway-configuration/9\nx", "another format, `portway-configuration/9`"),
    ] {
        std::fs::write(controller.state_dir().join("configuration"), content).unwrap();
        let proxy = controller.proxy(&["--drain-delay", "0s"]);
        eventually(message, || proxy.stderr().contains(message).then_some(()));
        proxy.signal("TERM");
        assert_eq!(proxy.wait().0, Some(0));
    }
}

#[test]
fn a_listener_without_a_socket_is_refused_and_tried_again() {
    let controller = Controller::start();
    let other = TcpListener::bind((controller.address, PORT + 1)).unwrap();
    let mut proxy = controller.proxy(&[]);
    let ports = [PORT, PORT + 1, ADMIN_PORT];
    let revision = controller.publish(&configuration(&ports, all(), backend("served")));
    proxy.until_ready();
    let refused = controller.acknowledged(revision).refused;
    let message = |port| &refused[&ResourceKey::Listener(listener_key(port))].message;
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(message(PORT + 1).contains("in use by another process"), "{}", message(PORT + 1));
    assert!(message(ADMIN_PORT).starts_with("the proxy's admin server has port 9900"));
    assert_eq!(get(&proxy, PORT).0, 200);
    assert_eq!(proxy.status()["problems"].as_array().unwrap().len(), 2);

    drop(other);
    controller.until(|it| it.refused.len() == 1);
    assert_eq!(get(&proxy, PORT + 1).0, 200);
}

#[test]
fn a_route_that_cannot_be_compiled_keeps_its_last_good_version() {
    let controller = Controller::start();
    let mut proxy = controller.proxy(&["--drain-delay", "0s"]);
    controller.publish(&configuration(&[PORT], all(), backend("good")));
    proxy.until_ready();
    let bad = configuration(&[PORT], PathMatch::Regex("(".into()), backend("other"));
    let revision = controller.publish(&bad);
    let refused = controller.acknowledged(revision).refused;
    assert_eq!(refused.keys().collect::<Vec<_>>(), [&ResourceKey::Route(route_key())]);
    // The route as it was, and the endpoints as they are.
    assert_eq!(get(&proxy, PORT), (200, "other".to_owned()));
    eventually("the message", || proxy.stderr().contains("its last good version serves on").then_some(()));
    // It is still refused when something else has changed.
    controller.publisher.publish_endpoints(&std::sync::Arc::new(endpoints(backend("third"))));
    eventually("the third endpoint", || (get(&proxy, PORT).1 == "third").then_some(()));
    assert_eq!(proxy.status()["problems"].as_array().unwrap().len(), 1);
    assert!(!proxy.stderr().contains("no longer refused"), "{}", proxy.stderr());

    // So it is after a restart, for the good version is what was saved.
    proxy.signal("TERM");
    assert_eq!(proxy.wait().0, Some(0));
    let mut proxy = controller.proxy(&[]);
    proxy.until_ready();
    controller.until(|it| it.has_reached(revision) && it.refused.len() == 1);
    assert_eq!(get(&proxy, PORT), (200, "third".to_owned()));

    controller.publish(&configuration(&[PORT], all(), backend("mended")));
    controller.until(|it| it.refused.is_empty());
    assert_eq!(get(&proxy, PORT), (200, "mended".to_owned()));
}

#[test]
fn it_serves_on_for_the_delay_when_it_is_to_end() {
    let controller = Controller::start();
    let mut proxy = controller.proxy(&["--drain-delay", "2s"]);
    controller.publish(&configuration(&[PORT], all(), backend("served")));
    proxy.until_ready();
    let begin = Instant::now();
    proxy.signal("TERM");
    eventually("it is not ready any more", || (!proxy.is_ready()).then_some(()));
    assert_eq!(get(&proxy, PORT).0, 200);
    assert!(begin.elapsed() < Duration::from_secs(2), "the machine is too slow to tell");
    let (status, _, stderr) = proxy.wait();
    assert_eq!(status, Some(0), "{stderr}");
    assert!(begin.elapsed() >= Duration::from_secs(2));
    assert!(stderr.contains("all connections have ended"), "{stderr}");
}
