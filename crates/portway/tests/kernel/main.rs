//! `portway run --ebpf`: connections that the kernel takes from client to endpoint, in network namespaces.
//!
//! This needs root; without it the tests fail.
#![cfg(test)]

mod agent;
mod announcing;
#[path = "../../../portway-ebpf/tests/namespaces/bpffs.rs"]
mod bpffs;
mod controller;
mod explained;
mod exposed;
mod flows;
#[path = "../../../portway-ebpf/tests/namespaces/host.rs"]
mod host;
mod network;
#[path = "../../../portway-ebpf/tests/namespaces/peers.rs"]
#[allow(dead_code, reason = "the tests of that crate need more of it")]
mod peers;
mod policy;
#[path = "../running/mod.rs"]
mod running;
mod serving;
mod switching;
mod two_nodes;
mod two_nodes_policy;
#[path = "../../../portway-ebpf/tests/namespaces/wiring.rs"]
mod wiring;
