//! What is enforced, for status and metrics.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use portway_ebpf::metrics::encode_fill;
use portway_ebpf::policy::{Guard, Guarded};
use serde::{Deserialize, Serialize};

use super::Guarding;

/// What policies do on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyReport {
    /// The pods of the node, but for those in its network, which nothing protects.
    pub(crate) pods: Vec<GuardedPod>,
    /// Interfaces that the programs are at and that no known pod is behind.
    pub(crate) interfaces: Vec<String>,
    /// What is not enforced as it should be.
    pub(crate) problems: Vec<String>,
    /// Packets that were dropped, by reason.
    pub(crate) drops: BTreeMap<String, u64>,
}

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GuardedPod {
    pub(crate) pod: String,
    /// The node's end of its veth pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<String>,
    /// Directions in which policies select it.
    pub(crate) isolated: Vec<String>,
    /// Directions in which policies that are only rehearsed do.
    pub(crate) rehearsed: Vec<String>,
    /// Why it gets and sends nothing, if that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

impl GuardedPod {
    fn of(pod: Guarded) -> Self {
        let named = |[ingress, egress]: [bool; 2]| {
            let both = [(ingress, "ingress"), (egress, "egress")];
            both.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned()).collect()
        };
        Self {
            pod: pod.pod.to_string(),
            interface: pod.interface,
            isolated: named(pod.is_isolated),
            rehearsed: named(pod.is_rehearsed),
            problem: pod.problem,
        }
    }
}

impl Guarding {
    /// What is enforced.
    pub(crate) fn report(&self) -> PolicyReport {
        let mut state = self.lock();
        let problems = state.trouble.iter().chain(state.guard.iter().flat_map(Guard::problems));
        let problems = problems.cloned().collect();
        let Some(guard) = &mut state.guard else {
            return PolicyReport { problems, ..PolicyReport::default() };
        };
        let drops = guard.enforcer().drops().unwrap_or_default();
        PolicyReport {
            pods: guard.pods().into_iter().map(GuardedPod::of).collect(),
            interfaces: guard.other_interfaces().into_iter().map(str::to_owned).collect(),
            problems,
            drops: drops.into_iter().map(|(reason, count)| (reason.as_str().to_owned(), count)).collect(),
        }
    }

    /// What was counted, in the text form that Prometheus reads.
    pub(crate) fn metrics(&self) -> String {
        let report = self.report();
        let (counted, fill) = match &mut self.lock().guard {
            Some(guard) => (guard.counted().unwrap_or_default(), guard.enforcer().fill()),
            None => Default::default(),
        };
        let mut out = String::new();
        let labels =
            |(policy, is_ingress, outcome, _): &(Option<portway_config::NamespacedName>, bool, _, _)| {
                let policy = policy.as_ref().map(ToString::to_string).unwrap_or_default();
                let direction = if *is_ingress { "ingress" } else { "egress" };
                let outcome: &portway_ebpf::policy::Outcome = outcome;
                format!("policy=\"{policy}\",direction=\"{direction}\",outcome=\"{}\"", outcome.as_str())
            };
        let flows = counted.iter().map(|it| (labels(it), it.3.flows));
        family(&mut out, FLOWS, flows);
        let packets = counted.iter().map(|it| (labels(it), it.3.packets));
        family(&mut out, PACKETS, packets);
        let drops = report.drops.iter().map(|(reason, count)| (format!("reason=\"{reason}\""), *count));
        family(&mut out, DROPS, drops);
        let troubled = report.pods.iter().filter(|it| it.problem.is_some()).count() as u64;
        let pods = [("guarded", report.pods.len() as u64 - troubled), ("cut_off", troubled)];
        family(&mut out, PODS, pods.into_iter().map(|(state, count)| (format!("state=\"{state}\""), count)));
        family(&mut out, PROBLEMS, [(String::new(), report.problems.len() as u64)].into_iter());
        encode_fill(&mut out, MAP_ENTRIES, MAP_ENTRIES_LIMIT, &fill);
        out
    }
}

/// Name, kind and help of a family of metrics.
type Family = [&'static str; 3];

const FLOWS: Family = [
    "portway_policy_flows_total",
    "counter",
    "Flows that network policies have denied, or would have if they were not only rehearsed.",
];
const PACKETS: Family =
    ["portway_policy_packets_total", "counter", "Packets of flows that network policies have denied."];
const DROPS: Family = [
    "portway_policy_dropped_packets_total",
    "counter",
    "Packets that were dropped for the sake of network policy, by reason.",
];
const PODS: Family = [
    "portway_policy_pods",
    "gauge",
    "Pods of the node, by whether they are guarded, or cut off since not enough is known of them.",
];
const PROBLEMS: Family =
    ["portway_policy_problems", "gauge", "What is not enforced as it should be; /status tells of each."];

const MAP_ENTRIES: &str = "portway_policy_map_entries";
const MAP_ENTRIES_LIMIT: &str = "portway_policy_map_entries_limit";

fn family(out: &mut String, [name, kind, help]: Family, samples: impl Iterator<Item = (String, u64)>) {
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in samples {
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_documented() {
        let page = include_str!("../../../../../docs/metrics.md");
        let metrics = Guarding::default().metrics();
        assert!(metrics.contains("portway_policy_problems 0\n"), "{metrics}");
        let names = [FLOWS, PACKETS, DROPS, PODS, PROBLEMS].map(|it| it[0]);
        for name in names.into_iter().chain([MAP_ENTRIES, MAP_ENTRIES_LIMIT]) {
            assert!(metrics.contains(&format!("# TYPE {name} ")), "{name}");
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}
