use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::gateway::Gateway;
use crate::http::answering_server;
use crate::manifests::{TO_APP, app, gateway};
use crate::running::{eventually, run};

/// A certificate with its key, as PEM.
pub(crate) struct Certificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

pub(crate) fn self_signed(names: &[&str]) -> Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    Certificate { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

/// A Gateway with an HTTPS listener, and a route to `web/app` for every host.
pub(crate) fn objects_with_tls(certificate: &Certificate) -> String {
    let listener = "name: https
    port: 443
    protocol: HTTPS
    tls: { certificateRefs: [{ name: certificate }] }";
    gateway(listener, &(secret(certificate) + &app(TO_APP)))
}

/// The Secret `web/certificate`.
pub(crate) fn secret(certificate: &Certificate) -> String {
    format!(
        "apiVersion: v1
kind: Secret
metadata: {{ name: certificate, namespace: web }}
type: kubernetes.io/tls
data:
  tls.crt: {}
  tls.key: {}
---
",
        BASE64_STANDARD.encode(&certificate.certificate),
        BASE64_STANDARD.encode(&certificate.key),
    )
}

#[test]
fn openssl_gets_the_certificate_and_the_protocol_that_it_asks_for() {
    let server = answering_server("hello");
    let objects = objects_with_tls(&self_signed(&["shop.example.com"]));
    let gateway = Gateway::start(&objects, &[("web/app:80", server)]);
    let address = gateway.address(443).to_string();
    for (version, alpn) in [("-tls1_2", "http/1.1"), ("-tls1_3", "h2")] {
        let said = run(Command::new("openssl").args(["s_client", "-connect", &address, version]).args([
            "-servername",
            "shop.example.com",
            "-alpn",
            alpn,
        ]));
        assert!(said.contains(&format!("ALPN protocol: {alpn}")), "{said}");
        assert!(said.contains("BEGIN CERTIFICATE"), "{said}");
    }
    let old = Command::new("openssl").args(["s_client", "-connect", &address, "-tls1_1"]).output().unwrap();
    assert!(!old.status.success(), "TLS 1.1 is refused");
}

/// `openssl s_client`, which sends what is written to it and prints what comes back.
struct OpenTls {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl OpenTls {
    fn connect(address: &str) -> Self {
        let mut child = Command::new("openssl")
            .args([
                "s_client",
                "-connect",
                address,
                "-servername",
                "a.example",
                "-quiet",
                "-alpn",
                "http/1.1",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// One request and its answer, which has the body `hello`.
    fn get(&mut self) {
        self.input.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
        while line != "\r\n" {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the connection ended");
        }
        let mut body = [0; 5];
        self.output.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"hello");
    }
}

impl Drop for OpenTls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_new_certificate_is_shown_without_ending_a_connection() {
    let server = answering_server("hello");
    let objects = objects_with_tls(&self_signed(&["a.example"]));
    let gateway = Gateway::start(&objects, &[("web/app:80", server)]);
    let address = gateway.address(443).to_string();
    let fingerprint = || {
        run(Command::new("sh").arg("-c").arg(format!(
            "openssl s_client -connect {address} -servername a.example </dev/null 2>/dev/null \
             | openssl x509 -noout -fingerprint -sha256"
        )))
    };
    let before = fingerprint();
    let mut open = OpenTls::connect(&address);
    open.get();
    // And one connection of HTTP/2, whose requests go on over the whole time, one after the other.
    let url = format!("https://{address}/");
    let http2 = std::thread::spawn(move || {
        run(Command::new("h2load").args(["-n", "60", "-c", "1", "-m", "1", "--rps", "10"]).arg(url))
    });
    eventually("a request over HTTP/2", || gateway.log().contains("\"protocol\":\"HTTP/2\"").then_some(()));

    gateway.edit(&objects_with_tls(&self_signed(&["a.example"])));
    eventually("the new certificate", || (fingerprint() != before).then_some(()));
    open.get();
    open.get();
    let said = http2.join().unwrap();
    // h2load does not connect again.
    assert!(said.contains("60 succeeded, 0 failed, 0 errored, 0 timeout"), "{said}");
    let log = gateway.log();
    let peers = |protocol: &str| -> BTreeSet<String> {
        let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let lines = lines.filter(|line| line["protocol"] == protocol && line["revision"].as_u64() > Some(0));
        lines.map(|line| format!("{} {}", line["peer"], line["revision"])).collect()
    };
    for protocol in ["HTTP/1.1", "HTTP/2"] {
        let peers = peers(protocol);
        assert_eq!(peers.len(), 2, "{protocol}: one connection, before and after: {peers:?}");
    }
}
