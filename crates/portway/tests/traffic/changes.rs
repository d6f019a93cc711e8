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
use crate::manifests::{gateway, route, service};
use crate::running::{eventually, run};
use crate::tls::{Certificate, secret, self_signed};

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

/// Requests over HTTP/2, by h2load, one run after the other. Each counts its responses.
struct Http2Load {
    stop: Arc<AtomicBool>,
    runs: JoinHandle<usize>,
}

impl Http2Load {
    /// How many requests each run makes over its connections, which stay to its end.
    const REQUESTS: usize = 10_000;

    fn start(url: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let runs = std::thread::spawn(move || {
            let mut runs = 0;
            while !stopped.load(Ordering::Relaxed) {
                let said = run(Command::new("h2load")
                    .args(["-n", &Self::REQUESTS.to_string(), "-c", "2", "-m", "5"])
                    .args(["-H", ":authority: app.example.com"])
                    .arg(&url));
                let all = format!("{} succeeded, 0 failed, 0 errored, 0 timeout", Self::REQUESTS);
                assert!(said.contains(&all), "{url}: {said}");
                assert!(
                    said.contains(&format!("{} 2xx, 0 3xx, 0 4xx, 0 5xx", Self::REQUESTS)),
                    "{url}: {said}"
                );
                runs += 1;
            }
            runs
        });
        Self { stop, runs }
    }

    /// Ends the load after the run that is under way; returns how many there were.
    fn finish(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.runs.join().unwrap()
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

/// What serves the load.
struct Backends {
    blue: [SocketAddr; 2],
    green: SocketAddr,
    certificates: Vec<Certificate>,
}

impl Backends {
    fn start() -> Self {
        let server = answering_server;
        let certificates = (0..4).map(|_| self_signed(&["app.example.com"])).collect();
        Self { blue: [server("blue"), server("blue")], green: server("green"), certificates }
    }

    /// EndpointSlices of a Service, one for each of these servers.
    fn slices(name: &str, servers: &[SocketAddr]) -> String {
        let slice = |server: &SocketAddr| {
            let port = server.port();
            format!(
                "apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{ name: {name}-{port}, namespace: web, labels: {{ kubernetes.io/service-name: {name} }} }}
addressType: IPv4
ports: [{{ name: '', port: {port} }}]
endpoints: [{{ addresses: [127.0.0.1] }}]
---
"
            )
        };
        servers.iter().map(slice).collect()
    }

    /// The objects of one edit. All serve the load's requests; each differs from the one before in several ways: weights,
    /// paths, filters, order of the rules, and less often endpoints, listeners and the certificate.
    fn objects(&self, edit: usize) -> String {
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
        let hostname = ["", ", hostname: '*.example.com'", ", hostname: app.example.com"][edit / 3 % 3];
        let another = ["", "- { name: another, port: 8080, protocol: HTTP }"][edit / 5 % 2];
        let listeners = format!(
            "{{ name: http, port: 80, protocol: HTTP{hostname} }}
  - {{ name: https, port: 443, protocol: HTTPS, tls: {{ certificateRefs: [{{ name: certificate }}] }} }}
  {another}"
        );
        let blue = [&self.blue[..1], &self.blue, &self.blue[1..]][edit / 7 % 3];
        let port = "{ port: 80 }";
        let more = [
            secret(&self.certificates[edit / 11 % self.certificates.len()]),
            service("blue", port),
            service("green", port),
            Self::slices("blue", blue),
            Self::slices("green", &[self.green]),
            route("HTTPRoute", "app.example.com", &rules.join("\n  - ")),
        ];
        gateway(&listeners, &more.concat())
    }
}

#[test]
fn a_thousand_edits_under_load_fail_no_request() {
    let backends = Backends::start();
    let gateway = Gateway::start(&backends.objects(0), &[]);
    let load = Load::start(gateway.address(80));
    // Beside HTTP/1.1, HTTP/2 for the whole time, in clear text and over TLS.
    let http2 = [("http", 80), ("https", 443)]
        .map(|(scheme, port)| Http2Load::start(format!("{scheme}://{}/app/page", gateway.address(port))));
    for edit in 1..=EDITS {
        gateway.edit(&backends.objects(edit));
        gateway.reload();
        eventually("the edit that is served", || (gateway.revision() > edit as u64).then_some(()));
    }
    for load in http2 {
        assert!(load.finish() > 0);
    }
    let answered = load.finish();
    assert!(answered > EDITS, "only {answered} requests");
    let log = gateway.log();
    let failed: Vec<_> = log.lines().filter(|line| line.contains("\"reason\":\"")).collect();
    assert!(failed.is_empty(), "{} failed requests, such as {}", failed.len(), failed[0]);
    let not_ok: Vec<_> = log.lines().filter(|line| !line.contains("\"status\":200")).collect();
    assert!(not_ok.is_empty(), "{} other lines, such as {}", not_ok.len(), not_ok[0]);
    assert!(log.contains("\"protocol\":\"HTTP/2\",") && log.contains("\"scheme\":\"https\""));
    assert!(log.contains(&format!("\"revision\":{}", EDITS / 2)), "requests were served by what lay between");
    let told = gateway.messages();
    for changed in ["listener", "certificate", "endpoint list", "route"] {
        assert!(told.contains(&format!("1 {changed}")), "no {changed} was changed: {told}");
    }
}

#[test]
fn an_edit_that_changes_nothing_is_no_change() {
    let objects = Backends::start().objects(0);
    let gateway = Gateway::start(&objects, &[]);
    let before = gateway.revision();
    gateway.edit(&format!("# only a remark is new\n{objects}"));
    gateway.reload();
    eventually("a message", || gateway.messages().contains("what is served is the same").then_some(()));
    assert_eq!(gateway.revision(), before);
}

#[test]
fn a_bad_file_does_not_replace_a_good_configuration() {
    let backends = Backends::start();
    let gateway = Gateway::start(&backends.objects(0), &[]);
    let load = Load::start(gateway.address(80));
    let good = backends.objects(1);
    let (one, other) = (self_signed(&["app.example.com"]), self_signed(&["app.example.com"]));
    let mixed_up = Certificate { key: other.key, ..one };
    let cases = [
        ("syntax", "kind: [unclosed\n".to_owned()),
        ("unknown-kind", good.replace("kind: HTTPRoute", "kind: HTTPRuote")),
        ("invalid-value", good.replace("port: 80, weight", "port: 99999, weight")),
        ("unknown-value", good.replace("PathPrefix", "PathPerfix")),
        ("not-an-object", "x".repeat(10_000_000)),
        (
            "unsupported-value",
            good.replace("type: Exact, value: /other-1", "type: RegularExpression, value: /a(b"),
        ),
        ("invalid-certificate", good.replace(&secret(&backends.certificates[0]), &secret(&mixed_up))),
        (
            "listener-conflict",
            good.replace("listeners:", "listeners:\n  - { name: twin, port: 80, protocol: TCP }"),
        ),
    ];
    for (code, bad) in cases {
        assert_ne!(bad, good, "{code}");
        gateway.edit(&bad);
        gateway.reload();
        eventually(code, || {
            let status: serde_json::Value = serde_json::from_str(&gateway.status()).unwrap();
            let problems = status["refusedFiles"][0]["problems"].as_array()?;
            problems.iter().any(|problem| problem["code"] == code).then_some(())
        });
        assert_eq!(gateway.revision(), 1, "{code}");
    }
    gateway.edit(&backends.objects(2));
    gateway.reload();
    eventually("the good file", || (gateway.revision() == 2).then_some(()));
    assert!(load.finish() > 0);
}
