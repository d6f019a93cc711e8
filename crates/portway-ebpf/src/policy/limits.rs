//! Every limit of network policy in the kernel, in one place. `docs/limits.md` repeats them, and a test holds the two
//! together. Timeouts of flows are those of [`crate::Limits`].

/// Limits of network policy in the kernel. `PolicyLimits::default()` is what is documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLimits {
    /// Pods of a node at most.
    pub pods: u32,
    /// Interfaces that are no pod's, at most.
    pub interfaces: u32,
    /// Addresses of pods of the whole cluster at most.
    pub addresses: u32,
    /// Networks at most whose addresses stand for others or are pods' of the node.
    pub destinations: u32,
    /// Gateways of the whole cluster at most.
    pub gateways: u32,
    /// Sides of the pods' policies at most, counting those that are the same once.
    pub rules: u32,
    /// Identities that rules speak of at most, each counted for every side that does.
    pub identities: u32,
    /// Prefixes of addresses, the same.
    pub networks: u32,
    /// Prefixes of ports, the same; a range of ports has up to 30.
    pub ports: u32,
    /// Entries for flows that go both ways, of which each has one for every pod of the node that it is of. The longest unused
    /// give way to new ones.
    pub flows: u32,
    /// Entries for all other flows; the same.
    pub new_flows: u32,
    /// Datagrams whose fragments are on their way; the same.
    pub fragments: u32,
    /// Policies that have denied something, counted for each direction.
    pub counters: u32,
}

impl Default for PolicyLimits {
    fn default() -> Self {
        Self {
            pods: 1024,
            interfaces: 1024,
            addresses: 262_144,
            destinations: 16_384,
            gateways: 4096,
            rules: 16_384,
            identities: 1_048_576,
            networks: 262_144,
            ports: 1_048_576,
            flows: 262_144,
            new_flows: 65_536,
            fragments: 16_384,
            counters: 16_384,
        }
    }
}
