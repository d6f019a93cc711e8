//! Statuses: what is to be written, and writing it.
//!
//! [`plan()`] compares what translation says with what the objects carry, purely, and yields the writes
//! that are missing. [`StatusWriter`] carries them out by server-side apply.

mod merge;
mod pace;
mod plan;
mod pools;
mod routes;
mod write;

pub(crate) use self::merge::carry;
pub use self::plan::{StatusPatch, plan};
pub use self::pools::plan_pools;
pub use self::routes::RoutePlan;
pub(crate) use self::write::StatusOutcome;
pub use self::write::{FIELD_MANAGER, StatusWriter};
