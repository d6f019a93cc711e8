//! What is told of flows. Its form as JSON is stable; `docs/command-line.md` describes it.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use portway_ebpf::layout;
use portway_ebpf::pinned::{SeenFlow, Traffic, Way};
use serde::Serialize;

use super::names::Names;
use super::watch::Event;

/// Flows, of which some may be left off.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowsReport {
    pub(super) flows: Vec<FlowReport>,
    /// How many more there are.
    pub(super) left_off: usize,
}

/// A flow.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowReport {
    /// `TCP` or `UDP`.
    pub(super) protocol: &'static str,
    pub(super) client: SocketAddr,
    /// Of the Gateway, where the client sent it.
    pub(super) address: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listener: Option<String>,
    /// Number of the service that the listener is to the kernel.
    pub(super) service: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<SocketAddr>,
    /// `forwarded`, `on-node`, `masqueraded` or `on-neighbour`.
    pub(super) reach: &'static str,
    /// The node that its packets are left to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) node: Option<IpAddr>,
    /// What the endpoint sees in the place of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seen_as: Option<SocketAddr>,
    pub(super) state: &'static str,
    pub(super) idle_seconds: u64,
    pub(super) from_client: TrafficReport,
    pub(super) from_endpoint: TrafficReport,
}

/// How much has come from one side.
#[derive(Debug, Serialize)]
pub(super) struct TrafficReport {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// A flow that has begun or ended.
#[derive(Debug, Serialize)]
pub(super) struct EventReport {
    pub(super) time: Timestamp,
    /// `began` or `ended`.
    pub(super) event: &'static str,
    #[serde(flatten)]
    pub(super) flow: FlowReport,
}

impl FlowsReport {
    /// Of the first `limit` flows; zero: of all.
    pub(super) fn of(flows: &[SeenFlow], names: &Names, limit: usize) -> Self {
        let shown = if limit == 0 { flows.len() } else { limit.min(flows.len()) };
        let reports = flows.iter().take(shown).map(|it| FlowReport::of(it, names));
        Self { flows: reports.collect(), left_off: flows.len() - shown }
    }
}

impl FlowReport {
    pub(super) fn of(flow: &SeenFlow, names: &Names) -> Self {
        let (reach, node, seen_as) = match flow.way {
            Way::Forwarded => ("forwarded", None, None),
            Way::OnNode => ("on-node", None, None),
            Way::Masqueraded(address) => ("masqueraded", None, Some(address)),
            Way::OnNeighbour(node) => ("on-neighbour", node, None),
        };
        Self {
            protocol: if flow.protocol == layout::UDP { "UDP" } else { "TCP" },
            client: flow.client,
            address: flow.listener,
            listener: names.listener(flow),
            service: flow.service,
            endpoint: flow.endpoint,
            reach,
            node,
            seen_as,
            state: flow.state.as_str(),
            idle_seconds: flow.silence.as_secs(),
            from_client: flow.from_client.into(),
            from_endpoint: flow.from_endpoint.into(),
        }
    }
}

impl From<Traffic> for TrafficReport {
    fn from(Traffic { packets, bytes }: Traffic) -> Self {
        Self { packets, bytes }
    }
}

impl EventReport {
    pub(super) fn of(event: &Event, flow: FlowReport, time: Timestamp) -> Self {
        let event = match event {
            Event::Began(_) => "began",
            Event::Ended(_) => "ended",
        };
        Self { time, event, flow }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use portway_ebpf::layout::{FLOW_ESTABLISHED, FLOW_REPLIED, TCP};
    use portway_ebpf::pinned::FlowState;

    use super::*;

    pub(in super::super) fn flow() -> SeenFlow {
        let bits = FLOW_REPLIED | FLOW_ESTABLISHED;
        SeenFlow {
            protocol: TCP,
            client: "198.51.100.7:40000".parse().unwrap(),
            listener: "203.0.113.10:80".parse().unwrap(),
            endpoint: "10.0.0.2:8080".parse().ok(),
            way: Way::Forwarded,
            service: 3,
            state: FlowState::of(bits),
            bits,
            silence: Duration::from_secs(2),
            from_client: Traffic { packets: 12, bytes: 1200 },
            from_endpoint: Traffic { packets: 9, bytes: 90_000 },
        }
    }

    #[test]
    fn json_has_what_is_known_and_nothing_else() {
        let report = FlowsReport::of(&[flow(), flow(), flow()], &Names::default(), 1);
        let text = serde_json::to_value(&report).unwrap();
        let wanted = serde_json::json!({
            "flows": [{
                "protocol": "TCP",
                "client": "198.51.100.7:40000",
                "address": "203.0.113.10:80",
                "service": 3,
                "endpoint": "10.0.0.2:8080",
                "reach": "forwarded",
                "state": "established",
                "idleSeconds": 2,
                "fromClient": { "packets": 12, "bytes": 1200 },
                "fromEndpoint": { "packets": 9, "bytes": 90_000 },
            }],
            "leftOff": 2,
        });
        assert_eq!(text, wanted);
        assert_eq!(FlowsReport::of(&[flow(), flow()], &Names::default(), 0).flows.len(), 2, "no bound");
    }
}
