//! Flows as text for people.

use super::report::{EventReport, FlowReport, FlowsReport};
use crate::wording::counted;

const HEADINGS: [&str; 10] = [
    "PROTOCOL",
    "CLIENT",
    "ADDRESS",
    "LISTENER",
    "ENDPOINT",
    "REACH",
    "STATE",
    "IDLE",
    "PACKETS TO/FROM",
    "BYTES TO/FROM",
];

/// A table, and how many are not in it.
pub(super) fn render(report: &FlowsReport) -> String {
    if report.flows.is_empty() {
        return "no flows\n".to_owned();
    }
    let rows: Vec<_> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(report.flows.iter().map(cells)).collect();
    let mut widths = [0; HEADINGS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let padded: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += padded.join("  ").trim_end();
        text.push('\n');
    }
    if report.left_off > 0 {
        let more = counted(report.left_off, "more flow");
        text += &format!("{more} left off, idle for longer; --limit 0 shows all\n");
    }
    text
}

/// A flow that has begun or ended.
pub(super) fn line(report: &EventReport) -> String {
    let EventReport { time, event, flow } = report;
    let [protocol, client, address, listener, endpoint, reach, state, _, packets, bytes] = cells(flow);
    let end = match *event {
        "ended" => format!("; {}, packets {packets}, bytes {bytes}", end(&state)),
        _ => String::new(),
    };
    format!("{time:.3} {event} {protocol} {client} to {address} ({listener}), {reach}: {endpoint}{end}\n")
}

/// A flow that ended in another state than these was silent for too long, or has given way.
fn end(state: &str) -> String {
    match state {
        "closed" | "reset" => state.to_owned(),
        state => format!("forgotten while {state}"),
    }
}

fn cells(flow: &FlowReport) -> [String; HEADINGS.len()] {
    let service = || format!("service {}", flow.service);
    let reach = match (flow.node, flow.seen_as) {
        (Some(node), _) => format!("{} {node}", flow.reach),
        (_, Some(seen_as)) => format!("{} as {seen_as}", flow.reach),
        (None, None) => flow.reach.to_owned(),
    };
    let (to, from) = (&flow.from_client, &flow.from_endpoint);
    [
        flow.protocol.to_owned(),
        flow.client.to_string(),
        flow.address.to_string(),
        flow.listener.clone().unwrap_or_else(service),
        flow.endpoint.map_or_else(|| "gone".to_owned(), |it| it.to_string()),
        reach,
        flow.state.to_owned(),
        idle(flow.idle_seconds),
        format!("{}/{}", to.packets, from.packets),
        format!("{}/{}", to.bytes, from.bytes),
    ]
}

/// To three digits at most, as far as a flow may be idle.
fn idle(seconds: u64) -> String {
    match seconds {
        0..600 => format!("{seconds}s"),
        _ => format!("{}m", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use portway_ebpf::layout::FLOW_RESET;
    use portway_ebpf::pinned::{FlowState, SeenFlow, Way};
    use portway_ebpf::service::Transport;

    use super::super::names::Names;
    use super::super::report::tests::flow;
    use super::super::watch::Event;
    use super::*;

    fn several() -> Vec<SeenFlow> {
        let (address, node) = ("192.0.2.9:61000".parse().unwrap(), "192.0.2.10".parse().unwrap());
        vec![
            flow(),
            SeenFlow { way: Way::Masqueraded(address), ..flow() },
            SeenFlow {
                way: Way::OnNeighbour(Some(node)),
                silence: std::time::Duration::from_secs(6000),
                ..flow()
            },
            SeenFlow {
                protocol: Transport::Udp.protocol(),
                endpoint: None,
                way: Way::OnNeighbour(None),
                ..flow()
            },
        ]
    }

    #[test]
    fn a_table_tells_what_is_not_in_it() {
        let report = FlowsReport::of(&several(), &Names::default(), 3);
        insta::assert_snapshot!(render(&report));
        assert_eq!(render(&FlowsReport::of(&[], &Names::default(), 3)), "no flows\n");
    }

    #[test]
    fn a_line_tells_how_a_flow_ended() {
        let time: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let line = |event: Event| {
            line(&EventReport::of(&event, FlowReport::of(event.flow(), &Names::default()), time))
        };
        let ends = several().into_iter().map(Event::Ended);
        let reset = SeenFlow { state: FlowState::of(FLOW_RESET), ..flow() };
        let all: Vec<_> =
            [Event::Began(flow()), Event::Ended(reset)].into_iter().chain(ends).map(line).collect();
        insta::assert_snapshot!(all.concat());
    }
}
