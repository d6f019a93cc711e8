//! What the programs have counted, in the text form that Prometheus reads.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

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

struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Family<'a> {
    fn new(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Self { out, name }
    }

    fn sample(&mut self, labels: &str, value: impl Display) {
        let _ = writeln!(self.out, "{}{{{labels}}} {value}", self.name);
    }

    fn of_listeners(
        mut self,
        counted: &Counted,
        values: impl Fn(&ServiceCounters) -> Vec<(&'static str, u64)>,
    ) {
        for (ListenerLabels { gateway, listener }, counters) in &counted.listeners {
            for (more, value) in values(counters) {
                self.sample(&format!("gateway=\"{gateway}\",listener=\"{listener}\"{more}"), value);
            }
        }
    }
}

const FROM_CLIENT: &str = ",direction=\"from_client\"";
const FROM_ENDPOINT: &str = ",direction=\"from_endpoint\"";

/// All metrics.
pub fn encode(counted: &Counted) -> String {
    let mut out = String::new();
    let help = "TCP connections and UDP flows that the kernel took to an endpoint, or to a proxy.";
    Family::new(&mut out, "portway_kernel_flows_total", "counter", help)
        .of_listeners(counted, |it| vec![("", it.flows)]);
    Family::new(&mut out, "portway_kernel_packets_total", "counter", "Packets of such flows.")
        .of_listeners(counted, |it| {
            vec![(FROM_CLIENT, it.packets_from_client), (FROM_ENDPOINT, it.packets_from_endpoint)]
        });
    Family::new(&mut out, "portway_kernel_bytes_total", "counter", "Bytes of their IP packets.")
        .of_listeners(counted, |it| {
            vec![(FROM_CLIENT, it.bytes_from_client), (FROM_ENDPOINT, it.bytes_from_endpoint)]
        });
    let help = "Packets of such flows that were dropped, by reason.";
    let mut family = Family::new(&mut out, "portway_kernel_dropped_packets_total", "counter", help);
    for (reason, count) in &counted.drops {
        family.sample(&format!("reason=\"{}\"", reason.as_str()), count);
    }
    encode_fill(&mut out, "portway_kernel_map_entries", "portway_kernel_map_entries_limit", &counted.fill);
    out
}

/// How full maps are, under these names.
pub fn encode_fill(
    out: &mut String,
    entries: &'static str,
    limit: &'static str,
    fill: &BTreeMap<String, Fill>,
) {
    let mut family = Family::new(out, entries, "gauge", "Entries in each eBPF map.");
    for (map, it) in fill {
        family.sample(&format!("map=\"{map}\""), it.entries);
    }
    let mut family = Family::new(out, limit, "gauge", "Entries that each eBPF map has room for.");
    for (map, it) in fill {
        family.sample(&format!("map=\"{map}\""), it.limit);
    }
}

#[cfg(test)]
mod tests {
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
        let text = encode(&counted);
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
        let page = include_str!("../../../docs/metrics.md");
        let names: Vec<_> =
            text.lines().filter_map(|it| it.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        assert_eq!(names.len(), 6);
        for name in names {
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
