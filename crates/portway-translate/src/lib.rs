//! From Kubernetes objects to data-plane configuration and status conditions, purely.
//!
//! [`translate`] is a function without I/O, clock or async. The standalone mode, the controller and
//! the command line call this one function, so they cannot disagree.
//!
//! The order of the work, module by module:
//!
//! 1. `gateway`: which GatewayClasses and Gateways are ours.
//! 2. `listener`: the listeners of each Gateway and its ListenerSets: who may add which, conflicts,
//!    certificates, client validation.
//! 3. `route`: which route attaches to which listener, and its rules.
//! 4. `backend`: what routes refer to: Services, endpoints, TLS policies.
//! 5. [`status`]: conditions of every object.

pub mod backend;
mod condition;
mod context;
mod expressions;
mod feature;
mod field;
mod filter;
pub mod finding;
mod frame;
mod frontend_validation;
mod gateway;
mod gateway_class;
mod hostname;
mod listener;
mod listener_set;
mod namespace;
pub mod options;
pub mod parameters;
mod precedence;
mod problem;
pub mod reason;
mod reference_grant;
mod route;
pub mod status;
mod tls;
pub mod translation;

pub use finding::{Finding, FindingCode, Severity};
pub use options::{AddressOutcome, ClusterOptions, Controllers, Options};
pub use status::Statuses;
pub use translation::{Memory, Translation, translate, translate_remembering};
