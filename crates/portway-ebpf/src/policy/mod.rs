//! Network policy in the kernel: programs at the interfaces of a node's pods, and the tables that they look up.
//!
//! [`ledger`] is pure: from the tables of `portway-policy` and the pods' interfaces to changes of the maps. [`Enforcer`] is the
//! edge. `docs/ebpf.md` says what happens to a packet.

mod drop_reason;
mod enforcer;
pub mod layout;
pub mod ledger;
mod limits;

pub use self::drop_reason::PolicyDrop;
pub use self::enforcer::{ENTER, Enforcer, FROM_POD, LEAVE, Refused, TO_POD};
pub use self::limits::PolicyLimits;
