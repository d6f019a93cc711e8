//! Which addresses a Gateway gets.

mod decision;

pub use self::decision::{Decision, ServiceAddressing};

/// The class of Services whose addresses Portway assigns.
pub const LOAD_BALANCER_CLASS: &str = "portway.dev/address-pool";
