//! Portway in Kubernetes: the controller.
//!
//! Objects come in by watches, go through [`portway_translate::translate`], and come out in three
//! directions: statuses to the API server, configurations to the proxies, and, for each Gateway, a
//! Deployment and what belongs to it.
//!
//! | module | owns |
//! | --- | --- |
//! | [`address`] | which addresses a Gateway gets: pools, static ones |
//! | [`provision`] | the objects that serve a Gateway, and keeping them as they should be |

pub mod address;
pub mod provision;
