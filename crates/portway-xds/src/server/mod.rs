//! The server: proxies connect to it and are told the configuration of their Gateway.

mod accept;
mod admission;
mod group;
mod stream;
mod tls;

pub use self::accept::{Server, serve};
pub use self::admission::{Authenticate, AuthenticationError, GatewayOf, Identity};
pub use self::tls::{ServerTls, TlsError};
