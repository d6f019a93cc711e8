//! Why a packet was dropped.

/// Why a packet that was ours to forward was dropped. Its number is the index of its counter
/// (`enum drop_reason` in `bpf/layout.h`); `docs/ebpf.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Its transport header is cut short, or says that it is longer than the packet.
    HeaderCutShort,
    /// The listener has no endpoint, or the share of a backend that has none was hit.
    NoEndpoint,
    /// The endpoint of a TCP connection has gone, and its time to drain is over.
    EndpointGone,
    /// No source port is left towards the endpoint, or the node has no address of that family.
    NoSourcePort,
    /// The kernel refused an entry for the flow.
    FlowTable,
    /// There is no route to where it goes.
    NoRoute,
    /// The interface that it came in by does not forward (`net.ipv4.ip_forward`, `net.ipv6.conf.*.forwarding`).
    ForwardingDisabled,
    /// Its hop limit (TTL) is used up.
    HopLimit,
    /// It is larger than the way that it should take allows, and may not be fragmented.
    TooBig,
    /// The kernel refused to change it.
    Rewrite,
}

impl DropReason {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::HeaderCutShort,
        Self::NoEndpoint,
        Self::EndpointGone,
        Self::NoSourcePort,
        Self::FlowTable,
        Self::NoRoute,
        Self::ForwardingDisabled,
        Self::HopLimit,
        Self::TooBig,
        Self::Rewrite,
    ];

    /// The code, as metrics and documentation spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HeaderCutShort => "header_cut_short",
            Self::NoEndpoint => "no_endpoint",
            Self::EndpointGone => "endpoint_gone",
            Self::NoSourcePort => "no_source_port",
            Self::FlowTable => "flow_table",
            Self::NoRoute => "no_route",
            Self::ForwardingDisabled => "forwarding_disabled",
            Self::HopLimit => "hop_limit",
            Self::TooBig => "too_big",
            Self::Rewrite => "rewrite",
        }
    }

    /// Its number.
    pub fn index(self) -> u32 {
        self as u32
    }
}
