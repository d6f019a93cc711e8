//! TLS towards clients: the ClientHello, certificates by server name, client validation.

mod certificate;
mod client_hello;
mod client_validation;
mod listener;

pub use certificate::CertificateError;
pub use client_validation::TrustError;
pub use listener::{ListenerTls, TlsRefused};

pub(crate) use certificate::CertifiedKeys;
pub(crate) use client_hello::{Alert, ClientHello, ClientHelloError, ClientHelloReader};
pub(crate) use listener::Termination;
