//! Keys and values of the maps for network policy, as the programs see them (`bpf/policy/layout.h`).

use std::fmt;
use std::net::IpAddr;

use portway_config::NamespacedName;

use crate::btf::Btf;
use crate::layout::{Address, LayoutError, Port, Tuple, fingerprint_of, shared, verify_all};

shared! {
    /// What all programs are told.
    Settings = "policy_settings" {
        /// Another one whenever an address has changed hands: flows are judged again.
        revision: u32,
        /// The number that was given to a Gateway last.
        last_gateway: u32,
        /// Nanoseconds without a packet after which an established TCP flow is forgotten.
        tcp_established_timeout: u64,
        /// The same for a TCP flow that is not established yet, or half closed.
        tcp_transitory_timeout: u64,
        /// The same for a TCP flow that is closed or was reset.
        tcp_closed_timeout: u64,
        /// The same for any other flow that nobody has answered.
        udp_timeout: u64,
        /// The same for any other flow that was answered.
        udp_replied_timeout: u64,
    }
    /// A pod of the node.
    Pod = "policy_pod" {
        /// Its IPv4 address; unspecified: it has none.
        ipv4: Address,
        /// The same for IPv6.
        ipv6: Address,
        /// Tells it from others that had its address before.
        uid: u64,
        /// Who it is. Zero: it is not known yet.
        identity: u32,
        /// Rules for what it gets.
        ingress: u32,
        /// Those that are only rehearsed.
        ingress_rehearsed: u32,
        /// Rules for what it sends.
        egress: u32,
        /// Those that are only rehearsed.
        egress_rehearsed: u32,
        /// Zero.
        reserved: u32,
    }
    /// An interface that is no pod's.
    Interface = "policy_interface" {
        /// [`OUTSIDE`] or [`BRIDGE`].
        kind: u32,
        /// Bytes before the IP header.
        link_header: u32,
    }
    /// A Gateway, under the number that packets are tagged with.
    Gateway = "policy_gateway" {
        /// Who its proxies are. Zero: nobody whom rules speak of.
        identity: u32,
        /// Its name.
        name: GatewayName,
    }
    /// An identity that rules speak of.
    ClassKey = "policy_class_key" {
        /// Id of the rules.
        rules: u32,
        /// The identity.
        identity: u32,
    }
    /// A prefix that rules speak of.
    NetworkKey = "policy_network_key" {
        /// How many of the bits after it count.
        prefix: u32,
        /// Id of the rules.
        rules: u32,
        /// The address.
        address: Address,
    }
    /// Ports that a class of peers is ruled by.
    PortKey = "policy_port_key" {
        /// How many of the bits after it count.
        prefix: u32,
        /// Id of the rules.
        rules: u32,
        /// The class, from 1 on.
        class: u32,
        /// Number of the protocol; zero: any without ports.
        protocol: u16,
        /// The port.
        port: Port,
    }
    /// A prefix of addresses that are no peer's.
    AddressKey = "policy_address_key" {
        /// How many of the bits after it count.
        prefix: u32,
        /// The address.
        address: Address,
    }
    /// What a tier says.
    Ruling = "policy_ruling" {
        /// The lowest counts.
        order: u32,
        /// [`PASS`], [`ALLOW`] or [`DENY`].
        decision: u32,
        /// Which policy says so.
        policy: u32,
    }
    /// What a class says of a port.
    Verdict = "policy_verdict" {
        /// By the tiers before NetworkPolicy.
        first: Ruling,
        /// By what follows.
        then: Ruling,
    }
    /// A flow at a pod's interface.
    FlowKey = "policy_flow_key" {
        /// As those send it who began it.
        tuple: Tuple,
        /// Index of the interface.
        interface: u32,
        /// [`FLOW_OUT`], [`FLOW_IN`] or [`FLOW_LEAVING`].
        kind: u32,
    }
    /// What is known of it.
    Flow = "policy_flow" {
        /// Nanoseconds of the monotonic clock, to some milliseconds.
        last_seen: u64,
        /// The revision that it was judged at.
        revision: u32,
        /// The rules that it was judged by.
        rules: u32,
        /// Those that were rehearsed.
        rehearsed: u32,
        /// `FLOW_*` bits of the header.
        state: u32,
        /// The number of the Gateway that it came through, where the kernel has forwarded it.
        gateway: u32,
        /// Which policy denied it.
        policy: u32,
    }
    /// What is counted.
    CounterKey = "policy_counter_key" {
        /// The policy.
        policy: u32,
        /// [`INGRESS`] or [`EGRESS`].
        direction: u16,
        /// [`DENIED`] or [`REHEARSED`].
        outcome: u16,
    }
    /// How often, by one processor.
    Counter = "policy_counter" {
        /// Flows.
        flows: u64,
        /// Packets of them.
        packets: u64,
    }
    /// What a log line is made of.
    Event = "policy_event" {
        /// The flow, as those send it who began it.
        tuple: Tuple,
        /// The pod's interface.
        interface: u32,
        /// Which policy.
        policy: u32,
        /// Of the other end.
        identity: u32,
        /// The number of the Gateway that it came through; zero: none.
        gateway: u32,
        /// [`INGRESS`] or [`EGRESS`].
        direction: u16,
        /// [`DENIED`] or [`REHEARSED`].
        outcome: u16,
    }
}

/// Namespace and name of a Gateway, so that the next process knows whose each number is.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
    zerocopy::KnownLayout,
)]
#[repr(C)]
pub struct GatewayName {
    octets: [u8; GATEWAY_NAME],
}

impl Default for GatewayName {
    fn default() -> Self {
        Self { octets: [0; GATEWAY_NAME] }
    }
}

impl fmt::Debug for GatewayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl GatewayName {
    /// None: it is longer than names are.
    pub fn of(gateway: &NamespacedName) -> Option<Self> {
        let mut name = Self::default();
        let text = gateway.to_string();
        name.octets.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(name)
    }

    fn text(&self) -> Option<&str> {
        let length = self.octets.iter().position(|it| *it == 0).unwrap_or(GATEWAY_NAME);
        std::str::from_utf8(self.octets.get(..length)?).ok()
    }
}

impl From<GatewayName> for Option<NamespacedName> {
    fn from(name: GatewayName) -> Self {
        let (namespace, name) = name.text()?.split_once('/')?;
        Some(NamespacedName::new(namespace, name))
    }
}

/// Bytes of a Gateway's namespace and name.
pub const GATEWAY_NAME: usize = 320;
/// What a pod gets.
pub const INGRESS: u16 = 0;
/// What a pod sends.
pub const EGRESS: u16 = 1;
/// In the place of rules: whatever comes is let through.
pub const OPEN: u32 = 0;
/// The interface leads out of the node, or to what is no pod.
pub const OUTSIDE: u32 = 1;
/// The interface is a bridge that pods are behind.
pub const BRIDGE: u32 = 2;
/// No rule speaks of it.
pub const NO_CLASS: u32 = 0;
/// The next tier decides.
pub const PASS: u32 = 0;
/// It goes through.
pub const ALLOW: u32 = 1;
/// It is dropped.
pub const DENY: u32 = 2;
/// An address of the node itself.
pub const DESTINATION_NODE: u32 = 1;
/// Replies from it are given this source on this node, so none comes from outside with it.
pub const DESTINATION_TRANSLATED_HERE: u32 = 1 << 1;
/// An address for pods of this node.
pub const DESTINATION_PODS: u32 = 1 << 2;
/// It stands for others.
pub const DESTINATION_SERVICE: u32 = 1 << 3;
/// See [`FlowKey::kind`]: what the pod began.
pub const FLOW_OUT: u32 = 0;
/// See [`FlowKey::kind`]: what others began.
pub const FLOW_IN: u32 = 1;
/// See [`FlowKey::kind`]: what the pod began, as it leaves the node.
pub const FLOW_LEAVING: u32 = 2;
/// A packet was dropped.
pub const DENIED: u16 = 0;
/// A packet would have been dropped, by what is only rehearsed.
pub const REHEARSED: u16 = 1;

impl Pod {
    /// Its address of a family; unspecified: it has none.
    pub fn set_address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(_) => self.ipv4 = address.into(),
            IpAddr::V6(_) => self.ipv6 = address.into(),
        }
    }
}

impl Counter {
    /// The sum of two.
    pub fn plus(&self, other: &Self) -> Self {
        Self { flows: self.flows + other.flows, packets: self.packets + other.packets }
    }
}

/// A number that differs where a layout does: maps of another are not taken over.
pub fn fingerprint() -> u64 {
    fingerprint_of(STRUCTURES)
}

/// Compares every type here with the programs'.
///
/// # Errors
///
/// The first difference.
pub fn verify(btf: &Btf) -> Result<(), LayoutError> {
    verify_all(btf, STRUCTURES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::layout::tests::constants;
    use crate::object;
    use crate::policy::PolicyDrop;

    #[test]
    fn the_name_of_a_gateway_fits() {
        let longest = NamespacedName::new("n".repeat(63), "g".repeat(253));
        for gateway in [longest, NamespacedName::new("edge", "a")] {
            let name = GatewayName::of(&gateway).unwrap();
            assert_eq!(Option::<NamespacedName>::from(name), Some(gateway));
        }
        assert_eq!(GatewayName::of(&NamespacedName::new("n", "g".repeat(400))), None);
        assert_eq!(Option::<NamespacedName>::from(GatewayName::default()), None);
    }

    #[test]
    fn the_programs_have_the_same_structures() {
        verify(&object::btf(object::POLICY_OBJECT).unwrap()).unwrap();
    }

    #[test]
    fn the_programs_have_the_same_constants() {
        let mut theirs = constants(include_str!("../../bpf/policy/layout.h"));
        // By which the two kinds of flows are over.
        for (name, ours) in [
            ("REPLIED", crate::layout::FLOW_REPLIED),
            ("ESTABLISHED", crate::layout::FLOW_ESTABLISHED),
            ("FIN", crate::layout::FLOW_FIN_FROM_CLIENT),
            ("REPLY_FIN", crate::layout::FLOW_FIN_FROM_ENDPOINT),
            ("RESET", crate::layout::FLOW_RESET),
        ] {
            assert_eq!(theirs.get(&format!("POLICY_FLOW_{name}")), Some(&i64::from(ours)), "{name}");
        }
        // What the programs alone write and read.
        theirs.retain(|name, _| !name.starts_with("POLICY_FLOW_") && name != "POLICY_EVENTS");
        let ours: [(&str, u32); 17] = [
            ("GATEWAY_NAME", GATEWAY_NAME as u32),
            ("INGRESS", INGRESS.into()),
            ("EGRESS", EGRESS.into()),
            ("OPEN", OPEN),
            ("INTERFACE_OUTSIDE", OUTSIDE),
            ("INTERFACE_BRIDGE", BRIDGE),
            ("NO_CLASS", NO_CLASS),
            ("PASS", PASS),
            ("ALLOW", ALLOW),
            ("DENY", DENY),
            ("DESTINATION_NODE", DESTINATION_NODE),
            ("DESTINATION_TRANSLATED_HERE", DESTINATION_TRANSLATED_HERE),
            ("DESTINATION_PODS", DESTINATION_PODS),
            ("DESTINATION_SERVICE", DESTINATION_SERVICE),
            ("DENIED", DENIED.into()),
            ("REHEARSED", REHEARSED.into()),
            ("DROP_REASONS", PolicyDrop::ALL.len() as u32),
        ];
        for (name, value) in ours {
            assert_eq!(theirs.remove(&format!("POLICY_{name}")), Some(value.into()), "{name}");
        }
        for (index, reason) in PolicyDrop::ALL.iter().enumerate() {
            let name = format!("POLICY_DROP_{}", reason.as_str().to_uppercase());
            assert_eq!(theirs.remove(&name), i64::try_from(index).ok(), "{name}");
        }
        assert_eq!(theirs, BTreeMap::new(), "known to the programs alone");
    }
}
