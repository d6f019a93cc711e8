//! When a flow is over: as the programs see it (`timeout` and `has_expired` in `bpf/flow.h`), for whoever sweeps.

use std::time::Duration;

use crate::layout::{
    FLOW_ESTABLISHED, FLOW_FIN_FROM_CLIENT, FLOW_FIN_FROM_ENDPOINT, FLOW_REPLIED, FLOW_RESET, Flow, TCP,
    Tuple, UDP,
};
use crate::limits::Limits;

/// Both sides have closed.
const CLOSED: u32 = FLOW_FIN_FROM_CLIENT | FLOW_FIN_FROM_ENDPOINT;

/// How long a flow in this state may be silent.
pub fn timeout(limits: &Limits, protocol: u8, state: u32) -> Duration {
    if protocol == UDP {
        let is_answered = state & FLOW_REPLIED != 0;
        return if is_answered { limits.udp_replied_timeout } else { limits.udp_timeout };
    }
    if state & FLOW_RESET != 0 || state & CLOSED == CLOSED {
        limits.tcp_closed_timeout
    } else if state & FLOW_ESTABLISHED == 0 || state & CLOSED != 0 {
        limits.tcp_transitory_timeout
    } else {
        limits.tcp_established_timeout
    }
}

/// Whether a flow is a TCP connection that is established and that neither side has closed.
pub fn is_open(tuple: &Tuple, flow: &Flow) -> bool {
    let ended = flow.state & (CLOSED | FLOW_RESET) != 0;
    tuple.protocol == TCP && flow.state & FLOW_ESTABLISHED != 0 && !ended
}

/// Whether a flow has been silent for too long. `now`: of the monotonic clock.
pub fn has_expired(limits: &Limits, tuple: &Tuple, flow: &Flow, now: Duration) -> bool {
    let silence = now.saturating_sub(Duration::from_nanos(flow.last_seen));
    silence > timeout(limits, tuple.protocol, flow.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_timeout() {
        let limits = Limits::default();
        let seconds = |protocol, state| timeout(&limits, protocol, state).as_secs();
        assert_eq!(seconds(TCP, 0), 240);
        assert_eq!(seconds(TCP, FLOW_REPLIED), 240);
        let established = FLOW_REPLIED | FLOW_ESTABLISHED;
        assert_eq!(seconds(TCP, established), 7800);
        assert_eq!(seconds(TCP, established | FLOW_FIN_FROM_CLIENT), 240);
        assert_eq!(seconds(TCP, established | FLOW_FIN_FROM_ENDPOINT), 240);
        assert_eq!(seconds(TCP, established | CLOSED), 30);
        assert_eq!(seconds(TCP, FLOW_RESET), 30);
        assert_eq!(seconds(UDP, 0), 120);
        assert_eq!(seconds(UDP, established), 300);
    }

    #[test]
    fn silence_is_measured_from_the_last_packet() {
        let limits = Limits::default();
        let tuple = Tuple { protocol: UDP, ..Tuple::default() };
        let flow = Flow { last_seen: 1_000_000_000, ..Flow::default() };
        assert!(!has_expired(&limits, &tuple, &flow, Duration::from_secs(121)));
        assert!(has_expired(&limits, &tuple, &flow, Duration::from_millis(121_001)));
        assert!(!has_expired(&limits, &tuple, &flow, Duration::ZERO), "seen by another processor meanwhile");
    }
}
