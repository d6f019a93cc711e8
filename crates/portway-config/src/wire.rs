//! TLS material as it travels to a data plane, and as that keeps it on its disk: with its secrets.
//!
//! [`Certificate`] and [`TrustBundle`] themselves serialize for people, without keys, so that whoever logs or
//! shows a configuration cannot give a key away by accident. The form with secrets is asked for by name, here.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::key::{CertificateKey, TrustKey};
use crate::tls::{Certificate, PrivateKey, PrivateKeyEncoding, TrustBundle};

/// A [`Certificate`] with its private key.
#[derive(Serialize, Deserialize)]
pub struct WireCertificate {
    key: CertificateKey,
    chain: Vec<Der>,
    private_key: Der,
    private_key_encoding: PrivateKeyEncoding,
    #[serde(default)]
    dns_names: Vec<Arc<str>>,
}

/// A [`TrustBundle`] with its certificates.
#[derive(Serialize, Deserialize)]
pub struct WireTrustBundle {
    key: TrustKey,
    anchors: Vec<Der>,
}

/// Bytes, in Base64.
struct Der(Arc<[u8]>);

impl Serialize for Der {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Der {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The decoder's own message quotes a byte of what may be a secret.
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("not Base64"))?;
        Ok(Self(bytes.into()))
    }
}

impl From<&Certificate> for WireCertificate {
    fn from(certificate: &Certificate) -> Self {
        let (der, private_key_encoding) = certificate.private_key.expose();
        Self {
            key: certificate.key.clone(),
            chain: certificate.chain.iter().cloned().map(Der).collect(),
            private_key: Der(der.into()),
            private_key_encoding,
            dns_names: certificate.dns_names.clone(),
        }
    }
}

impl From<WireCertificate> for Certificate {
    fn from(wire: WireCertificate) -> Self {
        Self {
            key: wire.key,
            chain: wire.chain.into_iter().map(|der| der.0).collect(),
            private_key: PrivateKey::new(wire.private_key.0, wire.private_key_encoding),
            dns_names: wire.dns_names,
        }
    }
}

impl From<&TrustBundle> for WireTrustBundle {
    fn from(bundle: &TrustBundle) -> Self {
        Self { key: bundle.key.clone(), anchors: bundle.anchors.iter().cloned().map(Der).collect() }
    }
}

impl From<WireTrustBundle> for TrustBundle {
    fn from(wire: WireTrustBundle) -> Self {
        Self { key: wire.key, anchors: wire.anchors.into_iter().map(|der| der.0).collect() }
    }
}
