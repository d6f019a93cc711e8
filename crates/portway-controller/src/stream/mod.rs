//! The configuration stream, as the leader serves it: who may have what, and how proxies find it.

mod agent_ca;
mod authenticate;
mod authority;
mod beacon;
mod serve;

pub(crate) use self::agent_ca::tell_agents;
pub use self::authority::{Authority, AuthorityError};
pub use self::serve::{CertificateError, StreamServer, first_revision};
