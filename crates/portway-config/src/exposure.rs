//! Where listeners are found, for those that take traffic before any proxy sees it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::key::{ListenerKey, NamespacedName};

/// Under which name the configuration of the node agents is published. No Gateway has it: each has a namespace.
pub fn node_agents() -> NamespacedName {
    NamespacedName::new("", "node-agents")
}

/// Where a TCP or UDP listener is found. Node agents get these; proxies, to whom traffic is sent, do not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Exposure {
    /// Key: the listener.
    pub listener: ListenerKey,
    /// The Gateway that it is of, itself or by a ListenerSet.
    pub gateway: NamespacedName,
    /// The Gateway's addresses, sorted.
    pub addresses: Vec<IpAddr>,
}
