//! Network policy in the kernel: programs at the interfaces of a node's pods, and the tables that they look up.
//!
//! [`placing`] and [`ledger`] are pure: whose each interface is, and from the tables of `portway-policy` to changes of the maps.
//! [`Enforcer`] is the edge, and [`Guard`] keeps it as it is to be. `docs/ebpf.md` says what happens to a packet.

mod drop_reason;
mod enforcer;
mod gateways;
mod guard;
pub mod layout;
pub mod ledger;
mod limits;
pub mod placing;
mod report;

pub use self::drop_reason::PolicyDrop;
pub use self::enforcer::{ENTER, Enforcer, FROM_POD, LEAVE, Refused, TO_POD};
pub use self::gateways::GatewayNumbers;
pub use self::guard::{Guard, Surroundings};
pub use self::limits::PolicyLimits;
pub use self::report::{Denial, Guarded, Outcome};
