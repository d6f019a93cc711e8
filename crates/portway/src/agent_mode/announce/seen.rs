//! What is known of addresses and their holders, for status, metrics and Leases.

use std::fmt;
use std::net::IpAddr;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
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

impl Collector for Seen {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let help = "Addresses that this node announces.";
        let held = self.addresses.iter().filter(|it| it.is_here).count();
        let family =
            encoder.encode_descriptor("portway_agent_addresses_held", help, None, MetricType::Gauge)?;
        ConstGauge::new(held).encode(family)?;
        let (name, help) = ("portway_agent_address_transitions", "How often this node has taken an address.");
        let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(self.transitions).encode(family)?;
        let help = "Agents of other nodes that were heard within the last seconds.";
        let family = encoder.encode_descriptor("portway_agent_peers", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.peers).encode(family)
    }
}

#[cfg(test)]
mod tests {
    use portway_documented::families;

    use super::*;
    use crate::admin::exposition;

    #[test]
    fn metrics_are_documented() {
        let page = include_str!("../../../../../docs/announcing.md");
        let told = families(&exposition([Box::new(Seen::default()) as Box<dyn Collector>]));
        assert_eq!(told.len(), 3);
        for name in told.keys() {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
