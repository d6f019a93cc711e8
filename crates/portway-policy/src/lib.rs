//! Network policies (networking.k8s.io/v1 NetworkPolicy, policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy), from the objects to
//! tables that the kernel looks up.
//!
//! Pure: no I/O, no clock. [`Compiler`] makes the tables of one node, [`tables`] is the language between this crate and whoever
//! fills the kernel's maps, [`decide`] does the kernel's lookups, and [`model`] is what the specification says, written down
//! a second time and slowly, which tests hold the tables to.

mod cluster;
mod compile;
mod direction;
mod identity;
mod network;
mod policies;
mod rule;
mod selector;

pub mod check;
pub mod decide;
pub mod limits;
pub mod model;
pub mod port;
pub mod tables;
pub mod warning;

pub use check::warnings;
pub use compile::{Compiler, Former};
pub use network::BlockFault;
pub use selector::SelectorFault;
pub use tables::{
    Class, ClassId, Decision, Direction, DirectionPolicy, IdentityId, LocalPod, PodPolicy, PolicyIndex,
    PolicyName, PolicySetId, PortRule, Protocol, Ruled, Ruling, Tables, Verdict,
};
pub use warning::Warning;
