//! Which flows have begun and which have ended since the last look. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use portway_ebpf::pinned::SeenFlow;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Began(SeenFlow),
    /// As it was seen last.
    Ended(SeenFlow),
}

impl Event {
    pub(super) fn flow(&self) -> &SeenFlow {
        let (Self::Began(flow) | Self::Ended(flow)) = self;
        flow
    }
}

/// The flows of the last look.
#[derive(Debug)]
pub(super) struct Watch {
    known: BTreeMap<(u8, SocketAddr, SocketAddr), SeenFlow>,
}

impl Watch {
    /// Of flows that are there already, which are not told of before they end.
    pub(super) fn new(flows: Vec<SeenFlow>) -> Self {
        Self { known: by_key(flows) }
    }

    /// How many go on.
    pub(super) fn live(&self) -> usize {
        self.known.values().filter(|it| !it.state.is_over()).count()
    }

    /// Of a flow that began and ended since the last look, both.
    pub(super) fn step(&mut self, flows: Vec<SeenFlow>) -> Vec<Event> {
        let mut events = Vec::new();
        let before = std::mem::replace(&mut self.known, by_key(flows));
        for (key, flow) in &before {
            let goes_on = self.known.get(key).is_some_and(|now| !is_another(flow, now));
            if !goes_on && !flow.state.is_over() {
                events.push(Event::Ended(flow.clone()));
            }
        }
        for (key, now) in &self.known {
            let known = before.get(key).filter(|it| !is_another(it, now));
            if known.is_none() {
                events.push(Event::Began(now.clone()));
            }
            if now.state.is_over() && known.is_none_or(|it| !it.state.is_over()) {
                events.push(Event::Ended(now.clone()));
            }
        }
        events
    }
}

/// Whether there is another flow under the same addresses and ports: bits of a flow's state never go, nor does it lose packets.
fn is_another(before: &SeenFlow, now: &SeenFlow) -> bool {
    before.bits & !now.bits != 0 || now.from_client.packets < before.from_client.packets
}

fn by_key(flows: Vec<SeenFlow>) -> BTreeMap<(u8, SocketAddr, SocketAddr), SeenFlow> {
    flows.into_iter().map(|it| (it.key(), it)).collect()
}

#[cfg(test)]
mod tests {
    use portway_ebpf::layout::{FLOW_ESTABLISHED, FLOW_REPLIED, FLOW_RESET};
    use portway_ebpf::pinned::{FlowState, Traffic};

    use super::super::report::tests::flow;
    use super::*;

    fn with(port: u16, bits: u32) -> SeenFlow {
        let mut flow = SeenFlow { bits, state: FlowState::of(bits), ..flow() };
        flow.client.set_port(port);
        flow
    }

    const OPEN: u32 = FLOW_REPLIED | FLOW_ESTABLISHED;
    const OVER: u32 = OPEN | FLOW_RESET;

    #[test]
    fn what_is_there_at_the_first_look_is_told_when_it_ends() {
        let mut watch = Watch::new(vec![with(1, OPEN), with(2, OVER)]);
        assert_eq!(watch.live(), 1);
        assert_eq!(watch.step(vec![with(1, OPEN), with(2, OVER)]), []);
        assert_eq!(watch.step(vec![with(1, OVER)]), [Event::Ended(with(1, OVER))]);
        assert_eq!(watch.step(vec![]), [], "it had ended before it was forgotten");
    }

    #[test]
    fn a_flow_begins_once_and_ends_once() {
        let mut watch = Watch::new(vec![]);
        assert_eq!(watch.step(vec![with(1, 0)]), [Event::Began(with(1, 0))]);
        assert_eq!(watch.step(vec![with(1, OPEN)]), []);
        assert_eq!(watch.step(vec![]), [Event::Ended(with(1, OPEN))], "forgotten, or driven out");
    }

    #[test]
    fn one_that_began_and_ended_between_two_looks_is_told_of() {
        let mut watch = Watch::new(vec![]);
        let both = [Event::Began(with(1, OVER)), Event::Ended(with(1, OVER))];
        assert_eq!(watch.step(vec![with(1, OVER)]), both);
    }

    #[test]
    fn another_flow_under_the_same_ports_is_another_flow() {
        let mut watch = Watch::new(vec![with(1, OVER)]);
        assert_eq!(watch.step(vec![with(1, 0)]), [Event::Began(with(1, 0))]);
        let few = SeenFlow { from_client: Traffic { packets: 1, bytes: 60 }, ..with(1, 0) };
        let expected = [Event::Ended(with(1, 0)), Event::Began(few.clone())];
        assert_eq!(watch.step(vec![few]), expected);
    }
}
