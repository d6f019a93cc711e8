use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::gateway::Gateway;
use crate::http::answering_server;
use crate::manifests::{TO_APP, app, gateway};
use crate::running::{eventually, run};

/// A certificate with its key, as PEM.
pub(crate) struct Certificate {
    certificate: String,
    key: String,
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
    let secret = format!(
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
    );
    gateway(listener, &(secret + &app(TO_APP)))
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

#[test]
fn a_new_certificate_is_shown_without_ending_a_connection() {
    let server = answering_server("hello");
    let objects = objects_with_tls(&self_signed(&["a.example"]));
    let gateway = Gateway::start(&objects, &[("web/app:80", server)]);
    let fingerprint = || {
        let address = gateway.address(443).to_string();
        run(Command::new("sh").arg("-c").arg(format!(
            "openssl s_client -connect {address} -servername a.example </dev/null 2>/dev/null \
             | openssl x509 -noout -fingerprint -sha256"
        )))
    };
    let before = fingerprint();
    gateway.edit(&objects_with_tls(&self_signed(&["a.example"])));
    eventually("the new certificate", || (fingerprint() != before).then_some(()));
}
