//! Which addresses a Gateway gets.
//!
//! | its Service | its addresses |
//! | --- | --- |
//! | of type LoadBalancer, and an AddressPool selects the Gateway | of the pool, assigned here |
//! | of type LoadBalancer otherwise | what the load balancer gives |
//! | of type NodePort | the nodes', where they are known; else its ClusterIPs |
//! | of type ClusterIP | its ClusterIPs |
//! | not of type LoadBalancer, with proxies in the network of their nodes | those nodes' |
//!
//! [`assign()`] decides, and does nothing: the decision goes to translation for the status, and to provisioning for the
//! Service.

mod allocation;
mod assign;
mod claimant;
mod decision;
mod host;
mod pool;
mod range;
#[cfg(test)]
mod tests;

pub use self::assign::assign;
pub use self::decision::{Decision, Known, RefusedClusterIp, RefusedClusterIps, ServiceAddressing};
pub use self::host::{NodeAddresses, Nodes};
pub use self::pool::Pool;
pub use self::range::{AddressRange, RangeError};

/// The class of Services whose addresses Portway assigns.
pub const LOAD_BALANCER_CLASS: &str = "portway.dev/address-pool";
