//! What routes refer to: Services, their endpoints, and how they are spoken to.

mod app_protocol;
mod assembly;
mod checked_policy;
mod claims;
pub mod endpoints;
mod memory;
mod policy_status;
mod reference;
mod service;
mod tls_policy;

pub(crate) use self::app_protocol::Traffic;
pub(crate) use self::assembly::Assembly;
pub use self::endpoints::{EndpointsIndex, IndexedEndpoints, endpoints};
pub(crate) use self::memory::BackendMemory;
pub(crate) use self::reference::target;
pub(crate) use self::tls_policy::BackendTlsPolicies;
