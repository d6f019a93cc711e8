//! The admin server: health, metrics, status and configuration of a running Portway.
//!
//! It has a thread and a runtime of its own, so that it answers while the data plane is busy. It changes nothing,
//! and shows no private key. By default it listens on the loopback interface alone.

mod answer;
mod exposition;
mod server;
mod state;

#[cfg(test)]
pub(crate) use self::exposition::exposition;
pub(crate) use self::server::AdminServer;
pub(crate) use self::state::AdminState;
