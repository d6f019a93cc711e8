//! Where listeners are found, for those that take traffic before any proxy sees it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::key::{EndpointsKey, ListenerKey, NamespacedName, Transport};

/// Under which name the configuration of the node agents is published. No Gateway has it: each has a namespace.
pub fn node_agents() -> NamespacedName {
    NamespacedName::new("", "node-agents")
}

/// Under which key the nodes are that have an agent: each endpoint is an address of one, with its name. No Service has it.
pub fn nodes_with_agents() -> EndpointsKey {
    EndpointsKey { service: node_agents(), port: 0, transport: Transport::Tcp }
}

/// Where a listener is found. Node agents get these; proxies, to whom traffic is sent, do not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Exposure {
    /// Key: the listener.
    pub listener: ListenerKey,
    /// The Gateway that it is of, itself or by a ListenerSet.
    pub gateway: NamespacedName,
    /// The Gateway's addresses, sorted.
    pub addresses: Vec<IpAddr>,
    /// The Gateway's proxies, where they listen for this listener. Absent while there is no Service for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxies: Option<EndpointsKey>,
}
