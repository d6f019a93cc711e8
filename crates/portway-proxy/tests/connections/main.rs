//! Connections through a running proxy, with real sockets on the loopback interface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod apply;
mod edge;
mod misdirected;
mod peers;
mod tcp;
mod tls;
mod udp;
