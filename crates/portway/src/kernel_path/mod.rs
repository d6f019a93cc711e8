//! Which listeners the kernel serves by itself, without the proxy (`--ebpf`).
//!
//! [`plan`](plan()) is pure: from a listener's configuration to what is behind it, or why the kernel cannot serve it.
//! [`decide`] is pure as well: with what is known of this [`machine`], the way of each listener with its reason.
//! [`KernelPath`] loads the programs when there is something for them, and keeps their maps as decided.

mod decide;
mod follow;
mod loaded;
mod machine;
mod network;
mod nodes;
mod path;
mod plan;

pub(crate) use self::follow::KernelPath;
pub(crate) use self::network::Network;
pub(crate) use self::path::{KernelReport, ListenerPath, MapReport, Path};
pub(crate) use self::plan::plan;

use clap::ValueEnum;

/// Whether eBPF programs may serve TCP and UDP listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ebpf {
    /// Where they can, and lose nothing by it; all else is the proxy's, and `portway status` tells why
    Auto,
    /// The same, but past the rules of nftables and iptables; if the kernel refuses, do not start
    On,
    /// Never
    Off,
}
