//! A certificate that expires while it is served.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::eventually;
use crate::portway::Portway;

/// A Secret whose certificate is valid for some seconds more.
fn secret(valid_for: Duration) -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(["a.example.com".to_owned()]).unwrap();
    parameters.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch + valid_for;
    let certificate = parameters.self_signed(&key).unwrap();
    let (certificate, key) = (STANDARD.encode(certificate.pem()), STANDARD.encode(key.serialize_pem()));
    format!(
        "apiVersion: v1
kind: Secret
metadata: {{name: tls}}
type: kubernetes.io/tls
data: {{tls.crt: {certificate}, tls.key: {key}}}
"
    )
}

const GATEWAY: &str = "---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: portway}
spec: {controllerName: portway.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: portway
  listeners:
  - {name: web, port: 443, protocol: HTTPS, hostname: a.example.com, tls: {certificateRefs: [{name: tls}]}}
";

#[test]
fn a_certificate_that_expires_is_told_without_a_change_of_files() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("all.yaml"), secret(Duration::from_secs(8)) + GATEWAY).unwrap();
    let portway = Portway::run([directory.path().to_str().unwrap()]);
    let is_told = || portway.status()["problems"].to_string().contains("expired at");
    assert!(!is_told(), "{}", portway.status());
    eventually("the expiry is told", || is_told().then_some(()));
    assert!(
        portway.stderr().contains("the certificate of Secret default/tls expired at"),
        "{}",
        portway.stderr()
    );
    assert_eq!(portway.revision(), 1);
}
