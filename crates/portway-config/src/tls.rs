//! TLS material. What is serialized here is for people: it tells no secret and cannot be read back. What travels
//! to a data plane has a form of its own, [`crate::wire`].

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use crate::key::{CertificateKey, TrustKey};

/// A certificate with its chain and private key. Translation has checked that the pair fits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Certificate {
    /// Key.
    pub key: CertificateKey,
    /// The chain in DER, the leaf first; never empty.
    #[serde(serialize_with = "sizes")]
    pub chain: Vec<Arc<[u8]>>,
    /// The private key.
    pub private_key: PrivateKey,
    /// DNS names of the leaf, in lower case; what SNI is compared with.
    pub dns_names: Vec<Arc<str>>,
}

/// A private key in DER. It shows itself neither in debug output nor in serialized form.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PrivateKey {
    der: Arc<[u8]>,
    encoding: PrivateKeyEncoding,
}

/// How a private key is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PrivateKeyEncoding {
    /// PKCS #1, RSA.
    Pkcs1,
    /// PKCS #8.
    Pkcs8,
    /// SEC 1, elliptic curves.
    Sec1,
}

impl PrivateKey {
    /// Takes a key.
    pub fn new(der: impl Into<Arc<[u8]>>, encoding: PrivateKeyEncoding) -> Self {
        Self { der: der.into(), encoding }
    }

    /// The key itself, for the TLS library.
    pub fn expose(&self) -> (&[u8], PrivateKeyEncoding) {
        (&self.der, self.encoding)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(redacted)")
    }
}

impl Serialize for PrivateKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("redacted")
    }
}

/// A set of trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TrustBundle {
    /// Key.
    pub key: TrustKey,
    /// Certificates in DER; never empty.
    #[serde(serialize_with = "sizes")]
    pub anchors: Vec<Arc<[u8]>>,
}

/// Certificates are shown by their number of bytes; whoever needs more reads the Secret.
fn sizes<S: Serializer>(certificates: &[Arc<[u8]>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(certificates.iter().map(|der| format!("{} bytes of DER", der.len())))
}
