//! Real connections through the programs: client, node and pods in network namespaces of their own.
//!
//! This needs root; without it the tests fail. Nothing is left behind: a namespace ends with the thread that made it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod announcing;
mod bpffs;
mod forwarded;
mod hand_over;
mod host;
mod peers;
mod policed;
mod policy;
#[path = "../tagging/mod.rs"]
mod tagging;
mod tcp;
mod topology;
mod udp;
mod wiring;
