//! The programs, run on single packets by the kernel (BPF_PROG_TEST_RUN), each test in a network namespace of its own.
//!
//! This needs root (CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN for the namespace); without it the tests fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod announcing;
mod balancing;
#[path = "../namespaces/bpffs.rs"]
mod bpffs;
mod forwarding;
mod icmp;
mod malformed;
mod neighbours;
mod node;
mod refusals;
mod tracking;
mod wire;
