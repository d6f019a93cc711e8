//! How `portway run` ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::eventually;
use crate::portway::Portway;

/// A request whose body is still on its way.
fn unfinished_request(portway: &Portway) -> TcpStream {
    let mut stream = TcpStream::connect(portway.at(80)).unwrap();
    let head = "POST / HTTP/1.1\r\nHost: myapp.example.com\r\nContent-Length: 4\r\n\r\nab";
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn requests_under_way_end_before_the_process() {
    for signal in ["TERM", "INT"] {
        let portway = Portway::run(["examples/my-app", "--demo-backends", "--access-log", "json"]);
        let mut request = unfinished_request(&portway);
        // Until the request has been read.
        std::thread::sleep(Duration::from_millis(200));
        portway.signal(signal);
        eventually("no new connections", || TcpStream::connect(portway.at(80)).err());
        request.write_all(b"cd").unwrap();
        let mut answer = String::new();
        request.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{signal}: {answer}");
        let (code, log, told) = portway.wait();
        assert_eq!(code, Some(0), "{told}");
        assert!(log.contains(r#""status":200"#), "the last line of the access log is written: {log}");
    }
}

#[test]
fn after_the_grace_connections_are_cut() {
    let portway = Portway::run(["examples/my-app", "--demo-backends", "--drain-timeout", "300ms"]);
    let _request = unfinished_request(&portway);
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    portway.signal("TERM");
    let (code, _, told) = portway.wait();
    assert_eq!(code, Some(0), "{told}");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(told.contains("1 connection had not ended within 300ms; cut"), "{told}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let portway = Portway::run(["examples/my-app", "--demo-backends", "--drain-timeout", "60s"]);
    let _request = unfinished_request(&portway);
    std::thread::sleep(Duration::from_millis(200));
    portway.signal("TERM");
    eventually("draining", || portway.stderr().contains("draining").then_some(()));
    let start = Instant::now();
    portway.signal("TERM");
    let (code, _, told) = portway.wait();
    assert_eq!(code, Some(0), "{told}");
    assert!(start.elapsed() < Duration::from_secs(10), "{told}");
}

#[test]
fn while_it_drains_it_is_not_ready() {
    let portway = Portway::run(["examples/my-app", "--demo-backends", "--drain-timeout", "5s"]);
    let _request = unfinished_request(&portway);
    std::thread::sleep(Duration::from_millis(200));
    portway.signal("TERM");
    eventually("not ready", || {
        let ready = crate::curl::curl([portway.admin_url("/readyz")]);
        (ready.status == 503 && ready.body.contains("draining")).then_some(())
    });
}
