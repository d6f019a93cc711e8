//! Network policies (networking.k8s.io/v1 NetworkPolicy), from the objects to tables that the kernel looks up.
//!
//! Pure: no I/O, no clock. [`tables`] is the language between this crate and whoever fills the kernel's maps.

pub mod decide;
pub mod port;
pub mod tables;

pub use tables::{
    Class, ClassId, Decision, Direction, DirectionPolicy, IdentityId, LocalPod, PodPolicy, PolicyIndex,
    PolicySetId, PortRule, Protocol, Ruled, Ruling, Tables, Verdict,
};
