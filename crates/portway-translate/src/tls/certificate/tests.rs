use std::collections::BTreeMap;

use portway_api::core::Secret;
use portway_config::NamespacedName;
use rcgen::{CertificateParams, KeyPair};

use super::*;

fn key() -> CertificateKey {
    CertificateKey(NamespacedName::new("infra", "tls"))
}

fn secret(entries: &[(&str, String)]) -> Secret {
    let entries: BTreeMap<_, _> =
        entries.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
    Secret { string_data: Some(entries), ..Secret::default() }
}

fn pair(names: &[&str]) -> (String, KeyPair) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().unwrap();
    (CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem(), key)
}

fn fault(entries: &[(&str, String)]) -> CertificateFault {
    read(key(), &secret(entries)).unwrap_err()
}

#[test]
fn a_pair_that_fits_is_read_with_its_names() {
    let (certificate, private_key) = pair(&["A.example.com", "*.b.example.com"]);
    let read = read(key(), &secret(&[("tls.crt", certificate), ("tls.key", private_key.serialize_pem())]));
    let read = read.unwrap();
    assert_eq!(read.certificate.chain.len(), 1);
    assert_eq!(&*read.certificate.dns_names[0], "a.example.com");
    assert_eq!(&*read.certificate.dns_names[1], "*.b.example.com");
    assert_eq!(read.certificate.private_key.expose().1, portway_config::tls::PrivateKeyEncoding::Pkcs8);
}

#[test]
fn each_way_to_be_unusable_has_its_fault() {
    let (certificate, private_key) = pair(&["a.example.com"]);
    let (other, _) = pair(&["a.example.com"]);
    let private_key = private_key.serialize_pem();
    let with = |certificate: &str, key: &str| {
        fault(&[("tls.crt", certificate.to_owned()), ("tls.key", key.to_owned())])
    };
    assert_eq!(fault(&[]), CertificateFault::NoEntry("tls.crt"));
    assert_eq!(fault(&[("tls.crt", certificate.clone())]), CertificateFault::NoEntry("tls.key"));
    assert_eq!(with("", &private_key), CertificateFault::NoEntry("tls.crt"));
    let nothing = CertificateFault::Pem("tls.crt", PemFault::Nothing("certificate"));
    assert_eq!(with("garbage", &private_key), nothing);
    assert_eq!(with(&private_key, &private_key), nothing);
    let cut = certificate.split("-----END").next().unwrap();
    assert_eq!(with(cut, &private_key), CertificateFault::Pem("tls.crt", PemFault::CutOff));
    let not_base64 = "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    assert_eq!(with(not_base64, &private_key), CertificateFault::Pem("tls.crt", PemFault::Malformed));
    let not_x509 = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    assert_eq!(with(not_x509, &private_key), CertificateFault::NotX509(1));
    assert_eq!(with(&format!("{certificate}{not_x509}"), &private_key), CertificateFault::NotX509(2));
    assert_eq!(with(&other, &private_key), CertificateFault::WrongKey);
    assert_eq!(with(&format!("{other}{certificate}"), &private_key), CertificateFault::WrongOrder(2));
    let not_a_key = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n";
    assert_eq!(with(&certificate, not_a_key), CertificateFault::UnsupportedKey);
}

#[test]
fn a_certificate_is_valid_between_two_moments() {
    let second = |it| Timestamp::from_second(it).unwrap();
    let validity = Validity { not_before: second(100), not_after: second(200) };
    assert_eq!(validity.objection(second(99)).unwrap(), "is not valid before 1970-01-01T00:01:40Z");
    assert_eq!(validity.objection(second(100)), None);
    assert_eq!(validity.objection(second(200)), None);
    assert_eq!(validity.objection(second(201)).unwrap(), "expired at 1970-01-01T00:03:20Z");

    assert_eq!(validity.next_change(second(0)), Some(second(100)));
    let expiry = validity.next_change(second(100)).unwrap();
    assert!(validity.objection(expiry).is_some() && expiry < second(201));
    assert_eq!(validity.next_change(second(200)), Some(expiry));
    assert_eq!(validity.next_change(expiry), None);
}

#[test]
fn a_wildcard_stands_for_one_label() {
    assert!(name_covers("a.example.com", "a.example.com"));
    assert!(name_covers("*.example.com", "a.example.com"));
    assert!(name_covers("*.example.com", "*.example.com"));
    assert!(!name_covers("*.example.com", "a.b.example.com"));
    assert!(!name_covers("*.example.com", "example.com"));
    assert!(!name_covers("*.b.example.com", "*.example.com"));
    assert!(!name_covers("*.com", "*.example.com"));
}
