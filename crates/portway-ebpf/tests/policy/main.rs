//! The programs that enforce network policies, run on single packets by the kernel (BPF_PROG_TEST_RUN), each test in a network
//! namespace of its own.
//!
//! This needs root (CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN for the namespace); without it the tests fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod bounds;
mod flows;
mod forwarded;
mod guarded;
mod icmp;
mod malformed;
mod rules;
#[path = "../tagging/mod.rs"]
mod tagging;
#[path = "../packets/wire.rs"]
#[allow(dead_code, reason = "the tests of balancing need more of it")]
mod wire;
