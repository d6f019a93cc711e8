//! The configuration stream over loopback, with TLS and tokens: server and client as the controller and the proxies
//! use them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod admission;
mod configurations;
mod pki;
mod raw;
mod stack;
mod stream;
mod wire;
