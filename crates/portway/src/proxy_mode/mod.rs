//! `portway proxy`: one Gateway, as the controller says.
//!
//! 1. [`portway_xds::Client`] follows the configuration, and keeps the last good one on the disk.
//! 2. [`compile`] makes of it what is served, aside; what cannot be used is refused alone.
//! 3. [`serve`] swaps it in, and tells the controller and the admin server what came of it.

mod compile;
mod error;
mod run;
mod serve;

pub(crate) use self::error::StartError;
pub(crate) use self::run::{client_options, run};
