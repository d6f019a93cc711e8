//! An ordered map of which two states share what they have in common.
//!
//! Objects, configurations and statuses go from one immutable state to the next, and nearly all of each stays
//! what it was. A clone of a [`SharedMap`] copies nothing; a change after that copies the one chunk that it touches and
//! the list of chunks; and [`SharedMap::differences`] finds what two states differ in without looking at what they share.
//!
//! The entries lie in chunks of at most 64. So for `n` entries a change costs `n / 32` pointers at most,
//! which for tens of thousands is microseconds, and reading costs what a sorted list does.

mod differences;
mod iter;
mod map;
mod slots;

pub use differences::Difference;
pub use iter::{IntoIter, Iter};
pub use map::SharedMap;
pub use slots::SharedSlots;
