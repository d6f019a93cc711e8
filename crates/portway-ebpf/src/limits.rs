//! Every limit and default of the kernel data plane, in one place. `docs/limits.md` repeats them, and a test holds the
//! two together.

use std::time::Duration;

/// Limits and defaults of the kernel data plane. `Limits::default()` is what is documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Listeners (address, port and protocol) at most. Each has a table of 256 KiB.
    pub services: u32,
    /// Endpoints at most, those included that drain.
    pub endpoints: u32,
    /// Entries for established flows, of which each has two. The longest unused give way to new ones.
    pub flows: u32,
    /// Entries for flows whose client has not answered a reply yet; the same.
    pub new_flows: u32,
    /// Datagrams whose fragments are on their way; the same.
    pub fragments: u32,
    /// Other nodes that are neighbours, of which the programs know at most.
    pub neighbour_nodes: u32,
    /// Silence after which an established TCP connection is forgotten (RFC 5382, REQ-5: no less than 2 h 4 min).
    pub tcp_established_timeout: Duration,
    /// The same for one that is not established yet or half closed (RFC 5382, REQ-5: no less than 4 min).
    pub tcp_transitory_timeout: Duration,
    /// The same for one that both sides have closed or one has reset.
    pub tcp_closed_timeout: Duration,
    /// The same for a UDP flow that nobody has answered (RFC 4787, REQ-5: no less than 2 min).
    pub udp_timeout: Duration,
    /// The same for a UDP flow that was answered.
    pub udp_replied_timeout: Duration,
    /// The first of the source ports that masqueraded flows get. They end at 65535, and begin behind Linux's own
    /// (`net.ipv4.ip_local_port_range`).
    pub masquerade_first_port: u16,
    /// Addresses that a node announces at most, counted for each interface.
    pub announced: u32,
    /// How long an agent may be silent before its node gives up an address that another node announces.
    pub announcer_silence: Duration,
    /// How long packets are left to a node whose agent is gone: as long as it takes to replace one.
    pub agent_gone: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            services: 4096,
            endpoints: 65_536,
            flows: 262_144,
            new_flows: 65_536,
            fragments: 16_384,
            neighbour_nodes: 8192,
            tcp_established_timeout: Duration::from_secs(7800),
            tcp_transitory_timeout: Duration::from_secs(240),
            tcp_closed_timeout: Duration::from_secs(30),
            udp_timeout: Duration::from_secs(120),
            udp_replied_timeout: Duration::from_secs(300),
            masquerade_first_port: 61_000,
            announced: 4096,
            announcer_silence: Duration::from_millis(500),
            agent_gone: Duration::from_secs(120),
        }
    }
}
