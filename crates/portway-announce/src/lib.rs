//! Which node announces an address, by ARP or NDP: exactly one that lives, and another within a second of its end.
//!
//! Nodes on one segment hear each other's [`Heartbeat`]s, which say what their sender announces. [`Election`] is what a node
//! makes of them. It has neither clock nor I/O: time is told to it, and what is to be done comes out of it. The reasons for
//! all this stand in `docs/announcing.md`.

mod election;
mod heartbeat;
pub mod limits;
mod rank;

pub use self::election::{Effect, Election, Held};
pub use self::heartbeat::{Claim, Heartbeat, HeartbeatError};
pub use self::rank::score;
