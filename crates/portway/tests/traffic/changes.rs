//! The configuration changes under load, and no request fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::gateway::Gateway;
use crate::http::answering_server;
use crate::manifests::{http_gateway, route, service};
use crate::running::eventually;

const EDITS: usize = 1000;

/// Requests that follow each other on connections that stay, and on ever new ones.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Result<(), String>>>,
}

impl Load {
    fn start(address: SocketAddr) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |per_connection: usize, method: &'static str| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    talk(address, per_connection, method, &stop, &answered)?;
                }
                Ok(())
            })
        };
        let clients =
            vec![client(usize::MAX, "GET"), client(usize::MAX, "POST"), client(1, "GET"), client(10, "POST")];
        Self { stop, answered, clients }
    }

    /// Ends the load; returns how many requests were answered as they should be.
    fn finish(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap().unwrap();
        }
        self.answered.load(Ordering::Relaxed)
    }
}

/// One connection with a number of requests.
fn talk(
    address: SocketAddr,
    requests: usize,
    method: &str,
    stop: &AtomicBool,
    answered: &AtomicUsize,
) -> Result<(), String> {
    let stream = TcpStream::connect(address).map_err(|error| format!("connecting: {error}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream);
    for nth in 0..requests {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let answer =
            exchange(&mut reader, method).map_err(|error| format!("request {nth} of {method}: {error}"))?;
        match answer {
            (200, body) if body == "blue" || body == "green" => answered.fetch_add(1, Ordering::Relaxed),
            other => return Err(format!("request {nth} of {method}: {other:?}")),
        };
    }
    Ok(())
}

fn exchange(reader: &mut BufReader<TcpStream>, method: &str) -> std::io::Result<(u16, String)> {
    let body = if method == "POST" { "content-length: 3\r\n\r\nabc" } else { "\r\n" };
    write!(reader.get_mut(), "{method} /app/page HTTP/1.1\r\nhost: app.example.com\r\n{body}")?;
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        } else if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest[..3].parse().map_err(std::io::Error::other)?;
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// The objects of one edit. All serve the load's requests; each differs from the one before in another way.
fn objects(edit: usize) -> String {
    let (blue, green) = [(1, 0), (0, 1), (50, 50), (1, 99)][edit % 4];
    let path = ["/", "/app", "/app/page"][edit / 4 % 3];
    let filters = [
        "",
        "filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-edit, value: a }] } }]",
        "filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { add: [{ name: x-edit, value: b }] } }]",
    ][edit / 2 % 3];
    let serving = format!(
        "matches: [{{ path: {{ type: PathPrefix, value: {path} }} }}]
    {filters}
    backendRefs: [{{ name: blue, port: 80, weight: {blue} }}, {{ name: green, port: 80, weight: {green} }}]"
    );
    let other = format!(
        "matches: [{{ path: {{ type: Exact, value: /other-{edit} }} }}]
    backendRefs: [{{ name: green, port: 80 }}]"
    );
    let rules = if edit.is_multiple_of(2) { [serving, other] } else { [other, serving] };
    let port = "{ port: 80 }";
    http_gateway(
        &(service("blue", port)
            + &service("green", port)
            + &route("HTTPRoute", "app.example.com", &rules.join("\n  - "))),
    )
}

fn start() -> Gateway {
    let (blue, green) = (answering_server("blue"), answering_server("green"));
    Gateway::start(&objects(0), &[("web/blue:80", blue), ("web/green:80", green)])
}

#[test]
fn a_thousand_edits_under_load_fail_no_request() {
    let gateway = start();
    let load = Load::start(gateway.address(80));
    // Beside HTTP/1.1, HTTP/2 for the whole time: one process, ended when the edits are through.
    let mut http2 = Command::new("h2load")
        .args(["-D", "600", "-c", "2", "-m", "5", "--warm-up-time", "0"])
        .args(["-H", ":authority: app.example.com"])
        .arg(format!("http://{}/app/page", gateway.address(80)))
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for edit in 1..=EDITS {
        gateway.edit(&objects(edit));
        gateway.reload();
        eventually("the edit that is served", || (gateway.revision() > edit as u64).then_some(()));
    }
    http2.kill().unwrap();
    http2.wait().unwrap();
    let answered = load.finish();
    assert!(answered > EDITS, "only {answered} requests");
    let log = gateway.log();
    let failed: Vec<_> =
        log.lines().filter(|line| line.contains("\"status\":5") || line.contains("\"status\":4")).collect();
    assert!(failed.is_empty(), "{} failed requests, such as {}", failed.len(), failed[0]);
    assert!(log.contains("\"protocol\":\"HTTP/2\""));
    assert!(log.contains(&format!("\"revision\":{}", EDITS / 2)), "requests were served by what lay between");
}

#[test]
fn an_edit_that_changes_nothing_is_no_change() {
    let gateway = start();
    let before = gateway.revision();
    gateway.edit(&format!("# only a remark is new\n{}", objects(0)));
    gateway.reload();
    eventually("a message", || gateway.messages().contains("what is served is the same").then_some(()));
    assert_eq!(gateway.revision(), before);
}

#[test]
fn a_bad_file_does_not_replace_a_good_configuration() {
    let gateway = start();
    let load = Load::start(gateway.address(80));
    for bad in [
        "kind: [unclosed\n".to_owned(),
        objects(1).replace("kind: HTTPRoute", "kind: HTTPRuote"),
        objects(1).replace("port: 80, weight", "port: 99999, weight"),
        objects(1).replace("PathPrefix", "PathPerfix"),
        "x".repeat(10_000_000),
    ] {
        gateway.edit(&bad);
        gateway.reload();
        eventually("an error", || gateway.status().contains("\"severity\": \"error\"").then_some(()));
    }
    gateway.edit(&objects(2));
    gateway.reload();
    eventually("the good file", || (gateway.revision() == 2).then_some(()));
    assert!(load.finish() > 0);
}
