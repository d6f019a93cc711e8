//! What is enforced, for status and metrics.

use std::collections::BTreeMap;
use std::fmt;

use portway_ebpf::Fill;
use portway_ebpf::metrics::encode_fill;
use portway_ebpf::policy::layout::Counter;
use portway_ebpf::policy::{Guard, Guarded, Outcome};
use portway_policy::PolicyName;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
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

    /// What was counted.
    pub(crate) fn counted(&self) -> Box<dyn Collector> {
        let report = self.report();
        let (flows, fill) = match &mut self.lock().guard {
            Some(guard) => (guard.counted().unwrap_or_default(), guard.enforcer().fill()),
            None => Default::default(),
        };
        Box::new(Counted { report, flows, fill })
    }
}

/// What the programs have counted, and what there is to be protected.
#[derive(Debug)]
struct Counted {
    report: PolicyReport,
    /// By policy, whether it is of ingress, and outcome.
    flows: Vec<(Option<PolicyName>, bool, Outcome, Counter)>,
    fill: BTreeMap<String, Fill>,
}

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let help = "Flows that network policies have denied, or would have if they were not only rehearsed.";
        self.by_policy(&mut encoder, "portway_policy_flows", help, |it| it.flows)?;
        let help = "Packets of flows that network policies have denied.";
        self.by_policy(&mut encoder, "portway_policy_packets", help, |it| it.packets)?;
        let (name, help) = (
            "portway_policy_dropped_packets",
            "Packets that were dropped for the sake of network policy, by reason.",
        );
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (reason, count) in &self.report.drops {
            ConstCounter::new(*count).encode(family.encode_family(&[("reason", reason.as_str())])?)?;
        }
        let help =
            "Pods of the node, by whether they are guarded, or cut off since not enough is known of them.";
        let mut family = encoder.encode_descriptor("portway_policy_pods", help, None, MetricType::Gauge)?;
        let cut_off = self.report.pods.iter().filter(|it| it.problem.is_some()).count();
        for (state, count) in [("guarded", self.report.pods.len() - cut_off), ("cut_off", cut_off)] {
            ConstGauge::new(count).encode(family.encode_family(&[("state", state)])?)?;
        }
        let help = "What is not enforced as it should be; /status tells of each.";
        let family = encoder.encode_descriptor("portway_policy_problems", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.report.problems.len()).encode(family)?;
        encode_fill(
            &mut encoder,
            "portway_policy_map_entries",
            "portway_policy_map_entries_limit",
            &self.fill,
        )
    }
}

impl Counted {
    fn by_policy(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        value: impl Fn(&Counter) -> u64,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (policy, is_ingress, outcome, counters) in &self.flows {
            let policy = policy.as_ref().map(ToString::to_string).unwrap_or_default();
            let direction = if *is_ingress { "ingress" } else { "egress" };
            let labels =
                [("policy", policy.as_str()), ("direction", direction), ("outcome", outcome.as_str())];
            ConstCounter::new(value(counters)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use portway_documented::{documented_families, families, page, section};

    use super::*;
    use crate::admin::exposition;

    #[test]
    fn metrics_are_documented() {
        let counted = Counted {
            report: PolicyReport {
                drops: [("denied_ingress".to_owned(), 1)].into(),
                problems: vec!["A table is full.".to_owned()],
                ..PolicyReport::default()
            },
            flows: vec![(Some(PolicyName::Cluster("a".into())), true, Outcome::Denied, Counter::default())],
            fill: [("policy_flows".to_owned(), Fill { entries: 1, limit: 2 })].into(),
        };
        let text = exposition([Box::new(counted) as Box<dyn Collector>]);
        assert!(text.contains("portway_policy_problems 1\n"), "{text}");
        let told = families(&text);
        let documented = documented_families(&section(&page("metrics.md"), "The node agent"));
        assert_eq!(told.len(), 7);
        for (name, family) in told {
            assert_eq!(documented.get(&name), Some(&family), "{name}");
        }
    }
}
