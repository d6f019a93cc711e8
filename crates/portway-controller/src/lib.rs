//! Portway in Kubernetes: the controller.
//!
//! Objects come in by watches, go through [`portway_translate::translate`], and come out in three
//! directions: statuses to the API server, configurations to the proxies, and, for each Gateway, a
//! Deployment and what belongs to it.
//!
//! | module | owns |
//! | --- | --- |
//! | [`address`] | which addresses a Gateway gets: pools, static ones |
//! | [`leader`] | which of several controllers writes |
//! | [`limits`] | limits and defaults |
//! | [`holders`] | Leases that tell which node announces an address |
//! | [`metrics`] | what is counted |
//! | [`provision`] | the objects that serve a Gateway, and keeping them as they should be |
//! | [`mod@run`] | the life of a controller |
//! | [`status`] | which statuses are to be written, and writing them |
//! | [`stream`] | the configuration stream: who may have what, and how proxies find it |
//! | [`watch`] | all objects as the API server has them |

pub mod address;
mod client;
mod failure;
#[cfg(test)]
mod fake_api;
pub mod holders;
pub mod leader;
pub mod limits;
pub mod metrics;
mod options;
pub mod provision;
mod reconcile;
mod run;
pub mod status;
pub mod stream;
pub mod watch;

pub use options::ControllerOptions;
pub use run::{Health, StartError, run};
