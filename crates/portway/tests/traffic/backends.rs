//! Backends by name, and backends that are not who they should be.

use std::process::{Child, Command, Stdio};

use crate::gateway::Gateway;
use crate::http::answering_server;
use crate::manifests::{TO_APP, app, http_gateway, route};
use crate::running::{curl::curl, eventually};
use crate::tls::self_signed;

#[test]
fn an_external_name_is_resolved() {
    let server = answering_server("by name");
    let service = "apiVersion: v1
kind: Service
metadata: { name: app, namespace: web }
spec: { type: ExternalName, externalName: localhost }
---
";
    let rule = format!("backendRefs: [{{ name: app, port: {} }}]", server.port());
    let objects = http_gateway(&(service.to_owned() + &route("HTTPRoute", "", &rule)));
    let gateway = Gateway::start(&objects, &[]);
    let answer = curl([format!("http://{}/", gateway.address(80))]);
    assert_eq!((answer.status, answer.body.as_str()), (200, "by name"));
}

/// `openssl s_server`, which ends with the test.
struct TlsServer(Child);

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_backend_with_a_certificate_of_somebody_else_is_told_with_the_cause() {
    let (its, expected) = (self_signed(&["app.example"]), self_signed(&["app.example"]));
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
    std::fs::write(&certificate, &its.certificate).unwrap();
    std::fs::write(&key, &its.key).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Command::new("openssl")
        .args(["s_server", "-www", "-quiet", "-accept", &port.to_string(), "-cert"])
        .arg(&certificate)
        .arg("-key")
        .arg(&key)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _server = TlsServer(server);
    let anchor: String = expected.certificate.lines().map(|line| format!("    {line}\n")).collect();
    let policy = format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{ name: ca, namespace: web }}
data:
  ca.crt: |
{anchor}---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{ name: app, namespace: web }}
spec:
  targetRefs: [{{ group: '', kind: Service, name: app }}]
  validation: {{ hostname: app.example, caCertificateRefs: [{{ group: '', kind: ConfigMap, name: ca }}] }}
---
"
    );
    let objects = http_gateway(&(app(TO_APP) + &policy));
    let gateway = Gateway::start(&objects, &[("web/app:80", ([127, 0, 0, 1], port).into())]);
    let answer = eventually("a backend that listens", || {
        let answer = curl([format!("http://{}/", gateway.address(80))]);
        (!answer.body.starts_with("connect_failed")).then_some(answer)
    });
    assert_eq!(answer.status, 502);
    assert!(answer.body.starts_with("upstream_tls: TLS with the backend failed\n"), "{}", answer.body);
    let line = eventually("a line in the log", || {
        gateway.log().lines().find(|line| line.contains("upstream_tls")).map(str::to_owned)
    });
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(line["cause"].as_str().unwrap().contains("invalid peer certificate"), "{line}");
}
