use portway_config::NamespacedName;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::*;

fn authority() -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn read_text(text: &str) -> Result<CheckedBundle, TrustFault> {
    read(TrustKey::ConfigMap(NamespacedName::new("infra", "ca")), CA_ENTRY, text.as_bytes())
}

#[test]
fn all_anchors_of_a_text_are_read() {
    let read = read_text(&format!("# first\n{}# second\n{}", authority(), authority())).unwrap();
    assert_eq!(read.bundle.anchors.len(), 2);
    assert_eq!(read.objections(Timestamp::from_second(1_800_000_000).unwrap()).count(), 0);
}

#[test]
fn one_bad_anchor_spoils_the_bundle() {
    let bad = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let fault = read_text(&format!("{}{bad}", authority())).unwrap_err();
    assert_eq!(fault, TrustFault::NotAnAnchor(CA_ENTRY, 2));
    let nothing = TrustFault::Pem(CA_ENTRY, PemFault::Nothing("certificate"));
    assert_eq!(read_text("garbage").unwrap_err(), nothing);
}

#[test]
fn an_expired_anchor_is_objected_to() {
    let read = read_text(&authority()).unwrap();
    let late = Timestamp::from_second(200_000_000_000).unwrap();
    assert!(read.objections(late).next().unwrap().starts_with("certificate 1 expired at "));
}
