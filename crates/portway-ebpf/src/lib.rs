//! The kernel data plane: eBPF programs that take TCP and UDP from a Gateway's address to an endpoint, without a proxy.
//!
//! The programs are C (`bpf/`), compiled with this crate and embedded in it. What they and user space share is
//! [`mod@layout`]. [`maglev`] is pure; [`Kernel`] is the edge: it loads the programs, attaches them and fills the maps.

pub mod announce;
pub mod balancer;
pub mod btf;
mod detach;
mod drop_reason;
mod error;
pub mod flow;
pub mod kernel;
pub mod layout;
pub mod layouts;
mod limits;
pub mod links;
pub mod maglev;
pub mod metrics;
pub mod netlink;
mod object;
pub mod pin;
pub mod pinned;
pub mod policy;
pub mod service;
mod syscall;
mod walk;

pub use self::drop_reason::DropReason;
pub use self::error::KernelError;
pub use self::kernel::{HandOver, Kernel, Node, Sweep};
pub use self::limits::Limits;
pub use self::walk::Fill;
