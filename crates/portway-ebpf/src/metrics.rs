//! What the programs have counted, as metrics.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::drop_reason::DropReason;
use crate::layout::ServiceCounters;
use crate::walk::Fill;

/// Whose listener it is, and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerLabels {
    /// Namespace and name of the Gateway.
    pub gateway: String,
    /// The listener.
    pub listener: String,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// For each listener, over all of its addresses; sorted.
    pub listeners: Vec<(ListenerLabels, ServiceCounters)>,
    /// Packets that were dropped.
    pub drops: Vec<(DropReason, u64)>,
    /// How full the maps are.
    pub fill: BTreeMap<String, Fill>,
}

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let help = "TCP connections and UDP flows that the kernel took to an endpoint, or to a proxy.";
        let mut family = counter(&mut encoder, "portway_kernel_flows", help)?;
        for (labels, it) in &self.listeners {
            sample(&mut family, &labels.pairs().as_slice(), it.flows)?;
        }
        let packets = |it: &ServiceCounters| [it.packets_from_client, it.packets_from_endpoint];
        self.of_directions(&mut encoder, "portway_kernel_packets", "Packets of such flows.", packets)?;
        let bytes = |it: &ServiceCounters| [it.bytes_from_client, it.bytes_from_endpoint];
        self.of_directions(&mut encoder, "portway_kernel_bytes", "Bytes of their IP packets.", bytes)?;
        let help = "Packets of such flows that were dropped, by reason.";
        let mut family = counter(&mut encoder, "portway_kernel_dropped_packets", help)?;
        for (reason, count) in &self.drops {
            sample(&mut family, &[("reason", reason.as_str())], *count)?;
        }
        encode_fill(
            &mut encoder,
            "portway_kernel_map_entries",
            "portway_kernel_map_entries_limit",
            &self.fill,
        )
    }
}

impl Counted {
    fn of_directions(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        values: impl Fn(&ServiceCounters) -> [u64; 2],
    ) -> fmt::Result {
        let mut family = counter(encoder, name, help)?;
        for (labels, counters) in &self.listeners {
            for (direction, value) in ["from_client", "from_endpoint"].into_iter().zip(values(counters)) {
                let direction = [("direction", direction)];
                sample(&mut family, &(labels.pairs().as_slice(), direction), value)?;
            }
        }
        Ok(())
    }
}

impl ListenerLabels {
    fn pairs(&self) -> [(&'static str, &str); 2] {
        [("gateway", &self.gateway), ("listener", &self.listener)]
    }
}

/// Begins a family of counters; `_total`, which counters end with, is added to its name.
fn counter<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn sample(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
    ConstCounter::new(value).encode(family.encode_family(labels)?)
}

/// How full maps are, under these names.
///
/// # Errors
///
/// Whatever the encoder's text refuses.
pub fn encode_fill(
    encoder: &mut DescriptorEncoder<'_>,
    entries: &str,
    limit: &str,
    fill: &BTreeMap<String, Fill>,
) -> fmt::Result {
    gauges(encoder, entries, "Entries in each eBPF map.", fill, |it| it.entries)?;
    gauges(encoder, limit, "Entries that each eBPF map has room for.", fill, |it| it.limit)
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    fill: &BTreeMap<String, Fill>,
    value: impl Fn(&Fill) -> u64,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (map, it) in fill {
        ConstGauge::new(value(it)).encode(family.encode_family(&[("map", map.as_str())])?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use portway_documented::{documented_families, families, page, section};

    use super::*;

    #[test]
    fn each_family_has_its_samples() {
        let labels = ListenerLabels { gateway: "a/g".into(), listener: "dns".into() };
        let counters = ServiceCounters {
            flows: 1,
            packets_from_client: 2,
            bytes_from_endpoint: 3,
            ..Default::default()
        };
        let counted = Counted {
            listeners: vec![(labels, counters)],
            drops: vec![(DropReason::NoEndpoint, 4)],
            fill: [("flows".to_owned(), Fill { entries: 5, limit: 262_144 })].into(),
        };
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(counted));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "portway_kernel_flows_total{gateway=\"a/g\",listener=\"dns\"} 1",
            "portway_kernel_packets_total{gateway=\"a/g\",listener=\"dns\",direction=\"from_client\"} 2",
            "portway_kernel_bytes_total{gateway=\"a/g\",listener=\"dns\",direction=\"from_endpoint\"} 3",
            "portway_kernel_dropped_packets_total{reason=\"no_endpoint\"} 4",
            "portway_kernel_map_entries{map=\"flows\"} 5",
            "portway_kernel_map_entries_limit{map=\"flows\"} 262144",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
        let documented = documented_families(&section(&page("metrics.md"), "The node agent"));
        let told = families(&text);
        assert_eq!(told.len(), 6);
        for (name, family) in told {
            assert_eq!(documented.get(&name), Some(&family), "{name}");
        }
    }
}
