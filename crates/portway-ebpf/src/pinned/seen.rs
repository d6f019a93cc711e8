//! What the two entries of a flow say of it. Pure.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::layout::{
    self, ENDPOINT_ON_NODE, FLOW_ESTABLISHED, FLOW_FIN_FROM_CLIENT, FLOW_FIN_FROM_ENDPOINT, FLOW_REPLIED,
    FLOW_RESET, Flow, Tuple,
};

/// A flow, as it is known now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenFlow {
    /// [`layout::TCP`] or [`layout::UDP`].
    pub protocol: u8,
    /// Who began it.
    pub client: SocketAddr,
    /// The listener that it was sent to.
    pub listener: SocketAddr,
    /// Who answers. None: packets are left to another node, and the endpoint's entry is gone.
    pub endpoint: Option<SocketAddr>,
    /// How it gets there.
    pub way: Way,
    /// Id of the listener's service.
    pub service: u32,
    /// How far it has come.
    pub state: FlowState,
    /// `FLOW_*` bits, as they stand in the maps.
    pub bits: u32,
    /// How long it has been silent.
    pub silence: Duration,
    /// What the client has sent.
    pub from_client: Traffic,
    /// What the endpoint has sent, as far as it came by this node.
    pub from_endpoint: Traffic,
}

/// How the packets of a flow get to its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With their client's address, and its replies come through this node.
    Forwarded,
    /// Up this node's own stack.
    OnNode,
    /// With this address as their source.
    Masqueraded(SocketAddr),
    /// As they are, by another node: this one, if it is still known.
    OnNeighbour(Option<IpAddr>),
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowState {
    /// Nobody has answered yet.
    New,
    /// The endpoint has.
    Replied,
    /// The client has answered that.
    Established,
    /// One side has closed its direction.
    Closing,
    /// Both have.
    Closed,
    /// One side has reset it.
    Reset,
}

/// How much has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets.
    pub bytes: u64,
}

/// The entry of the client's direction, with what only that of the other direction has been told yet.
pub(super) fn both(flow: &Flow, replies: Option<&Flow>) -> Flow {
    let (last_seen, state) = replies.map_or((0, 0), |it| (it.last_seen, it.state));
    Flow { last_seen: flow.last_seen.max(last_seen), state: flow.state | state, ..*flow }
}

impl SeenFlow {
    /// `flow`: as [`both`] has it. `now`: of the monotonic clock.
    pub(super) fn of(
        tuple: &Tuple,
        flow: &Flow,
        replies: Option<&Flow>,
        endpoint: Option<layout::Endpoint>,
        now: Duration,
    ) -> Self {
        let (client, listener) = (source(tuple), destination(tuple));
        let (answers, seen_as) = (source(&flow.other), destination(&flow.other));
        // As in `is_left_to_neighbour` in bpf/flow.h.
        let is_left = answers.ip() == listener.ip();
        let way = if is_left {
            let node = endpoint.map(|it| it.node).filter(|it| *it != layout::Address::default());
            Way::OnNeighbour(node.map(IpAddr::from))
        } else if seen_as != client {
            Way::Masqueraded(seen_as)
        } else if endpoint.is_some_and(|it| it.flags & ENDPOINT_ON_NODE != 0) {
            Way::OnNode
        } else {
            Way::Forwarded
        };
        let told = endpoint.map(|it| SocketAddr::new(it.address.into(), it.port.into()));
        let traffic = |it: &Flow| Traffic { packets: it.packets, bytes: it.bytes };
        Self {
            protocol: tuple.protocol,
            client,
            listener,
            endpoint: if is_left { told } else { Some(answers) },
            way,
            service: flow.service,
            state: FlowState::of(flow.state),
            bits: flow.state,
            silence: now.saturating_sub(Duration::from_nanos(flow.last_seen)),
            from_client: traffic(flow),
            from_endpoint: replies.map(traffic).unwrap_or_default(),
        }
    }

    /// What tells it from all others.
    pub fn key(&self) -> (u8, SocketAddr, SocketAddr) {
        (self.protocol, self.client, self.listener)
    }
}

impl FlowState {
    /// Of `FLOW_*` bits.
    pub fn of(bits: u32) -> Self {
        let fins = bits & (FLOW_FIN_FROM_CLIENT | FLOW_FIN_FROM_ENDPOINT);
        if bits & FLOW_RESET != 0 {
            Self::Reset
        } else if fins == FLOW_FIN_FROM_CLIENT | FLOW_FIN_FROM_ENDPOINT {
            Self::Closed
        } else if fins != 0 {
            Self::Closing
        } else if bits & FLOW_ESTABLISHED != 0 {
            Self::Established
        } else if bits & FLOW_REPLIED != 0 {
            Self::Replied
        } else {
            Self::New
        }
    }

    /// In one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Replied => "replied",
            Self::Established => "established",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Reset => "reset",
        }
    }

    /// Whether nothing more comes of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Reset)
    }
}

fn source(tuple: &Tuple) -> SocketAddr {
    SocketAddr::new(tuple.source.into(), tuple.source_port.into())
}

fn destination(tuple: &Tuple) -> SocketAddr {
    SocketAddr::new(tuple.destination.into(), tuple.destination_port.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{ENDPOINT_ON_NEIGHBOUR, TCP};

    const CLIENT: &str = "198.51.100.7:40000";
    const LISTENER: &str = "203.0.113.10:80";
    const POD: &str = "10.0.0.2:8080";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn seen(replies_from: &str, replies_to: &str, endpoint: Option<layout::Endpoint>) -> SeenFlow {
        let tuple = Tuple::new(TCP, at(CLIENT), at(LISTENER));
        let other = Tuple::new(TCP, at(replies_from), at(replies_to));
        let flow = Flow { other, last_seen: 1_000_000_000, packets: 3, bytes: 180, ..Flow::default() };
        let replies =
            Flow { other: tuple, last_seen: 2_000_000_000, state: FLOW_REPLIED, packets: 1, ..flow };
        let whole = both(&flow, Some(&replies));
        SeenFlow::of(&tuple, &whole, Some(&replies), endpoint, Duration::from_secs(5))
    }

    #[test]
    fn both_directions_tell_of_a_flow() {
        let flow = seen(POD, CLIENT, None);
        assert_eq!((flow.client, flow.listener, flow.endpoint), (at(CLIENT), at(LISTENER), Some(at(POD))));
        assert_eq!((flow.way, flow.state), (Way::Forwarded, FlowState::Replied));
        assert_eq!(flow.silence, Duration::from_secs(3), "since the later of the two");
        assert_eq!(flow.from_client, Traffic { packets: 3, bytes: 180 });
        assert_eq!(flow.from_endpoint.packets, 1);
    }

    #[test]
    fn the_way_is_told_by_what_packets_leave_with() {
        let endpoint = |flags, node: Option<IpAddr>| layout::Endpoint {
            address: at(POD).ip().into(),
            port: at(POD).port().into(),
            flags,
            node: node.map(Into::into).unwrap_or_default(),
            ..layout::Endpoint::default()
        };
        let masqueraded = seen(POD, "10.0.0.1:61000", Some(endpoint(0, None)));
        assert_eq!(masqueraded.way, Way::Masqueraded(at("10.0.0.1:61000")));
        assert_eq!(seen(POD, CLIENT, Some(endpoint(ENDPOINT_ON_NODE, None))).way, Way::OnNode);
        let node = "198.51.100.9".parse().unwrap();
        let left = seen(LISTENER, CLIENT, Some(endpoint(ENDPOINT_ON_NEIGHBOUR, Some(node))));
        assert_eq!((left.way, left.endpoint), (Way::OnNeighbour(Some(node)), Some(at(POD))));
        let gone = seen(LISTENER, CLIENT, None);
        assert_eq!((gone.way, gone.endpoint), (Way::OnNeighbour(None), None));
    }

    #[test]
    fn the_state_is_one_word() {
        let open = FLOW_REPLIED | FLOW_ESTABLISHED;
        for (bits, word, is_over) in [
            (0, "new", false),
            (FLOW_REPLIED, "replied", false),
            (open, "established", false),
            (open | FLOW_FIN_FROM_CLIENT, "closing", false),
            (open | FLOW_FIN_FROM_ENDPOINT, "closing", false),
            (open | FLOW_FIN_FROM_CLIENT | FLOW_FIN_FROM_ENDPOINT, "closed", true),
            (open | FLOW_RESET, "reset", true),
        ] {
            let state = FlowState::of(bits);
            assert_eq!((state.as_str(), state.is_over()), (word, is_over), "{bits:b}");
        }
    }
}
