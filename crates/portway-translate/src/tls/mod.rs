//! TLS material: certificates with their keys, trust anchors, and the references that lead to them.
//!
//! Everything is checked here, so that the data plane never meets material that it must refuse: a
//! certificate whose key does not fit, or an anchor that is no certificate.

pub(crate) mod certificate;
pub(crate) mod material;
mod pem;
pub(crate) mod reference;
pub(crate) mod trust;

pub(crate) use certificate::{CheckedCertificate, Validity};
pub(crate) use material::KnownCertificates;
pub(crate) use material::TlsMaterial;
pub(crate) use reference::BrokenRefKind;
pub(crate) use trust::CheckedBundle;
