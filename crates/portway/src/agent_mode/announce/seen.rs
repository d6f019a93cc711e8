//! What is known of addresses and their holders, for status, metrics and Leases.

use std::fmt::Write as _;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What this node knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Every address that this node can announce.
    pub(crate) addresses: Vec<AnnouncedAddress>,
    /// How often this node has taken an address.
    pub(crate) transitions: u64,
    /// Agents of other nodes that were heard lately.
    pub(crate) peers: usize,
}

/// An address, and who announces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnnouncedAddress {
    pub(crate) address: IpAddr,
    /// The node that announces it. Absent: none was heard yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// Whether that is this node.
    pub(crate) is_here: bool,
    /// How often it has changed hands, as far as is known.
    pub(crate) transitions: u32,
}

impl Seen {
    /// In the text form that Prometheus reads.
    pub(crate) fn metrics(&self) -> String {
        let mut out = String::new();
        let held = self.addresses.iter().filter(|it| it.is_here).count() as u64;
        for (name, kind, help, value) in [
            ("portway_agent_addresses_held", "gauge", "Addresses that this node announces.", held),
            (
                "portway_agent_address_transitions_total",
                "counter",
                "How often this node has taken an address.",
                self.transitions,
            ),
            (
                "portway_agent_peers",
                "gauge",
                "Agents of other nodes that were heard within the last seconds.",
                self.peers as u64,
            ),
        ] {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_documented() {
        let page = include_str!("../../../../../docs/announcing.md");
        let metrics = Seen::default().metrics();
        let names: Vec<_> = metrics.lines().filter(|it| !it.starts_with('#')).collect();
        assert_eq!(names.len(), 3);
        for line in names {
            let name = line.split(' ').next().unwrap();
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
