//! A certificate is read once for all translations that hand on what they know, and what they say stays the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use jiff::Timestamp;
use portway_api::core::Secret;
use portway_api::{Object, ObjectKey, Snapshot};
use portway_config::tls::Certificate;
use portway_translate::{Controllers, Memory, Options, Translation, translate, translate_remembering};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;

const HOST: &str = "shop.example.com";

fn options() -> Options {
    Options {
        controllers: Controllers::Any,
        now: Timestamp::UNIX_EPOCH,
        implied_namespaces: true,
        trusted_hops: 0,
        default_addresses: vec!["192.0.2.1".parse().unwrap()],
        cluster: None,
    }
}

fn key() -> ObjectKey {
    ObjectKey::new("shop", "tls")
}

/// A Secret with a new certificate and key.
fn secret() -> Secret {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    let secret = json!({
        "metadata": {"name": "tls", "namespace": "shop"},
        "stringData": {"tls.crt": certificate, "tls.key": key.serialize_pem()},
    });
    serde_json::from_value(secret).unwrap()
}

/// A Gateway with a certificate.
fn snapshot(secret: Secret) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let class = json!({
        "metadata": {"name": "portway"}, "spec": {"controllerName": "portway.dev/gateway-controller"},
    });
    snapshot.insert(Object::GatewayClass(serde_json::from_value(class).unwrap()));
    let gateway = json!({
        "metadata": {"name": "edge", "namespace": "shop"},
        "spec": {"gatewayClassName": "portway", "listeners": [{
            "name": "https", "protocol": "HTTPS", "port": 443, "tls": {"certificateRefs": [{"name": "tls"}]},
        }]},
    });
    snapshot.insert(Object::Gateway(serde_json::from_value(gateway).unwrap()));
    snapshot.secrets.insert(key(), Arc::new(secret));
    snapshot
}

fn certificate(translation: &Translation) -> &Arc<Certificate> {
    translation.configurations[&ObjectKey::new("shop", "edge")].certificates.values().next().unwrap()
}

/// Translates with what is known; the result is that of a translation which knows nothing.
fn translated(snapshot: &Snapshot, known: &mut Memory) -> Translation {
    let translation = translate_remembering(snapshot, &options(), known);
    let fresh = translate(snapshot, &options());
    assert_eq!(translation.configurations, fresh.configurations);
    assert_eq!(translation.statuses, fresh.statuses);
    assert_eq!(translation.next_change, fresh.next_change);
    translation
}

#[test]
fn a_secret_that_stays_is_not_read_again() {
    let mut known = Memory::default();
    let mut snapshot = snapshot(secret());
    let first = translated(&snapshot, &mut known);
    let second = translated(&snapshot, &mut known);
    assert!(Arc::ptr_eq(certificate(&first), certificate(&second)));

    let mut same_content = Secret::clone(&snapshot.secrets[&key()]);
    same_content.metadata.resource_version = Some("2".to_owned());
    snapshot.secrets.insert(key(), Arc::new(same_content));
    let third = translated(&snapshot, &mut known);
    assert!(Arc::ptr_eq(certificate(&first), certificate(&third)), "what it holds is the same");
}

#[test]
fn a_secret_that_changes_is_read_again() {
    let mut known = Memory::default();
    let mut snapshot = snapshot(secret());
    let first = translated(&snapshot, &mut known);
    snapshot.secrets.insert(key(), Arc::new(secret()));
    let renewed = translated(&snapshot, &mut known);
    assert_ne!(certificate(&first).chain, certificate(&renewed).chain);

    let broken = json!({"metadata": {"name": "tls", "namespace": "shop"}, "stringData": {"tls.crt": "no"}});
    snapshot.secrets.insert(key(), Arc::new(serde_json::from_value(broken).unwrap()));
    translated(&snapshot, &mut known);
    snapshot.secrets.remove(&key());
    translated(&snapshot, &mut known);
}
