//! Keys and values of the maps, as the programs see them (`bpf/layout.h`).
//!
//! [`verify`] compares each type here with what the object says of its own, before it is loaded: a field that was
//! moved on one side alone must not be found out by packets.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::btf::{Btf, BtfError};

/// An address; IPv4 as `::ffff:a.b.c.d` (RFC 4291, section 2.5.5.2).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C, align(4))]
pub struct Address {
    octets: [u8; 16],
}

// SAFETY: `IntoBytes` and `FromBytes` are derived, so there is no padding and any bytes are a value.
#[allow(unsafe_code, reason = "aya takes keys and values by this trait alone")]
unsafe impl aya::Pod for Address {}

impl Address {
    /// Its octets, in network byte order.
    pub fn octets(&self) -> [u8; 16] {
        self.octets
    }

    /// From its octets, in network byte order.
    pub fn from_octets(octets: [u8; 16]) -> Self {
        Self { octets }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        let address = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Self { octets: address.octets() }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        Self::V6(Ipv6Addr::from(address.octets)).to_canonical()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

/// A port, in network byte order.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C, align(2))]
pub struct Port {
    octets: [u8; 2],
}

impl From<u16> for Port {
    fn from(port: u16) -> Self {
        Self { octets: port.to_be_bytes() }
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> Self {
        Self::from_be_bytes(port.octets)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u16::from(*self).fmt(f)
    }
}

/// Declares structures of `layout.h`, and lists where their fields are.
macro_rules! shared {
    ($($(#[$meta:meta])* $name:ident = $c_name:literal {
        $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)?
    })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
            #[derive(
                zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout,
            )]
            #[repr(C)]
            pub struct $name {
                $($(#[$field_meta])* pub $field: $type,)*
            }

            // SAFETY: `IntoBytes` and `FromBytes` are derived, so there is no padding and any bytes are a value.
            #[allow(unsafe_code, reason = "aya takes keys and values by this trait alone")]
            unsafe impl aya::Pod for $name {}
        )*

        pub(crate) const STRUCTURES: &[$crate::layout::Structure] = &[$($crate::layout::Structure {
            name: $c_name,
            size: size_of::<$name>(),
            fields: &[$((stringify!($field), std::mem::offset_of!($name, $field), size_of::<$type>()),)*],
        }),*];
    };
}

pub(crate) use shared;

/// A structure, with name, offset and size of each field.
pub(crate) struct Structure {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    pub(crate) fields: &'static [(&'static str, usize, usize)],
}

shared! {
    /// What tells a flow from others.
    Tuple = "tuple" {
        /// Where its packets come from.
        source: Address,
        /// Where they go.
        destination: Address,
        /// Port of the source.
        source_port: Port,
        /// Port of the destination.
        destination_port: Port,
        /// Transport protocol: [`TCP`] or [`UDP`].
        protocol: u8,
        /// Zero.
        reserved: [u8; 3],
    }
    /// A listener's address, port and protocol.
    ServiceKey = "service_key" {
        /// Address of a Gateway.
        address: Address,
        /// Port of the listener.
        port: Port,
        /// Transport protocol: [`TCP`] or [`UDP`].
        protocol: u8,
        /// Zero.
        reserved: u8,
    }
    /// What is behind a listener.
    Service = "service" {
        /// Names its table and its counters. Never used a second time.
        id: u32,
        /// [`SERVICE_SOURCE_AFFINITY`] or zero.
        flags: u32,
    }
    /// Where packets are sent.
    Endpoint = "endpoint" {
        /// Its address.
        address: Address,
        /// Its port.
        port: Port,
        /// [`ENDPOINT_ON_NODE`], [`ENDPOINT_MASQUERADE`] or [`ENDPOINT_ON_NEIGHBOUR`].
        flags: u16,
        /// Id of the service that it is an endpoint of.
        service: u32,
        /// The node's address on the way to it; unspecified: the one in [`Settings`].
        source: Address,
        /// The node that it is on, with [`ENDPOINT_ON_NEIGHBOUR`].
        node: Address,
        /// Number of the Gateway that its clients come through, for network policy; zero: none.
        gateway: u32,
    }
    /// An Ethernet address.
    LinkAddress = "link_address" {
        /// As on the wire.
        octets: [u8; 6],
        /// Zero.
        reserved: [u8; 2],
    }
    /// One direction of a flow.
    Flow = "flow" {
        /// The tuple that packets of the other direction arrive with.
        other: Tuple,
        /// Nanoseconds of the monotonic clock, to some milliseconds.
        last_seen: u64,
        /// When the entry of the other direction was last told.
        told_other: u64,
        /// Packets of this direction.
        packets: u64,
        /// Bytes of their IP packets.
        bytes: u64,
        /// Id of the service.
        service: u32,
        /// Id of the endpoint.
        endpoint: u32,
        /// What has happened so far: `FLOW_*` bits.
        state: u32,
        /// [`FLOW_FROM_CLIENT`] or [`FLOW_FROM_ENDPOINT`].
        direction: u32,
        /// For network policy; zero.
        client_identity: u32,
        /// For network policy; zero.
        policy_revision: u32,
    }
    /// What the fragments of a datagram have in common.
    FragmentKey = "fragment_key" {
        /// Where they come from.
        source: Address,
        /// Where they go.
        destination: Address,
        /// What tells datagrams apart.
        identification: u32,
        /// Transport protocol.
        protocol: u8,
        /// Zero.
        reserved: [u8; 3],
    }
    /// What only the first fragment says.
    Fragment = "fragment" {
        /// Port of the source.
        source_port: Port,
        /// Port of the destination.
        destination_port: Port,
    }
    /// What came through a service, by one processor.
    ServiceCounters = "service_counters" {
        /// Flows that began.
        flows: u64,
        /// Packets of clients.
        packets_from_client: u64,
        /// Bytes of their IP packets.
        bytes_from_client: u64,
        /// Packets of endpoints.
        packets_from_endpoint: u64,
        /// Bytes of their IP packets.
        bytes_from_endpoint: u64,
    }
    /// An address that this node announces at an interface.
    AnnouncedKey = "announced_key" {
        /// The address.
        address: Address,
        /// The interface's index.
        interface: u32,
    }
    /// How it is announced.
    Announced = "announced" {
        /// The interface's own address.
        link_address: [u8; 6],
        /// Zero.
        reserved: [u8; 2],
    }
    /// What the programs are told of their node.
    Settings = "settings" {
        /// Source towards endpoints with [`ENDPOINT_MASQUERADE`].
        node_ipv4: Address,
        /// The same for IPv6.
        node_ipv6: Address,
        /// Nanoseconds without a packet after which an established TCP flow is forgotten.
        tcp_established_timeout: u64,
        /// The same for a TCP flow that is not established yet, or half closed.
        tcp_transitory_timeout: u64,
        /// The same for a TCP flow that is closed or was reset.
        tcp_closed_timeout: u64,
        /// The same for a UDP flow that nobody has answered.
        udp_timeout: u64,
        /// The same for a UDP flow that was answered.
        udp_replied_timeout: u64,
        /// Nanoseconds since the agent's last sign of life after which it is taken for dead.
        announcer_silence: u64,
        /// The first source port of masqueraded flows.
        masquerade_first_port: u32,
        /// How many there are.
        masquerade_ports: u32,
    }
}

/// Number of TCP.
pub const TCP: u8 = 6;
/// Number of UDP.
pub const UDP: u8 = 17;

/// Slots of a Maglev table.
pub const MAGLEV_SLOTS: usize = 65_537;
/// In a slot: new flows are refused.
pub const ENDPOINT_REFUSE: u32 = 0;
/// The client's address alone chooses the endpoint.
pub const SERVICE_SOURCE_AFFINITY: u32 = 1;
/// Only a SYN begins a TCP flow.
pub const SERVICE_BESIDE_PROXY: u32 = 1 << 1;
/// The endpoint is at an address of the node itself.
pub const ENDPOINT_ON_NODE: u16 = 1;
/// Packets leave with the node's address as source.
pub const ENDPOINT_MASQUERADE: u16 = 2;
/// Packets are left to another node, as they are.
pub const ENDPOINT_ON_NEIGHBOUR: u16 = 4;
/// See [`Flow::direction`].
pub const FLOW_FROM_CLIENT: u32 = 0;
/// See [`Flow::direction`].
pub const FLOW_FROM_ENDPOINT: u32 = 1;
/// The other side has answered.
pub const FLOW_REPLIED: u32 = 1;
/// The client has answered that.
pub const FLOW_ESTABLISHED: u32 = 1 << 1;
/// The client has closed its direction.
pub const FLOW_FIN_FROM_CLIENT: u32 = 1 << 2;
/// The endpoint has closed its direction.
pub const FLOW_FIN_FROM_ENDPOINT: u32 = 1 << 3;
/// One of the two has reset the connection.
pub const FLOW_RESET: u32 = 1 << 4;

impl Tuple {
    /// Of packets from `source` to `destination`.
    pub fn new(protocol: u8, source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source: source.ip().into(),
            destination: destination.ip().into(),
            source_port: source.port().into(),
            destination_port: destination.port().into(),
            protocol,
            reserved: [0; 3],
        }
    }
}

impl ServiceCounters {
    /// The sum of two.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            flows: self.flows + other.flows,
            packets_from_client: self.packets_from_client + other.packets_from_client,
            bytes_from_client: self.bytes_from_client + other.bytes_from_client,
            packets_from_endpoint: self.packets_from_endpoint + other.packets_from_endpoint,
            bytes_from_endpoint: self.bytes_from_endpoint + other.bytes_from_endpoint,
        }
    }
}

impl ServiceKey {
    /// Of a listener at `address`.
    pub fn new(protocol: u8, address: SocketAddr) -> Self {
        Self { address: address.ip().into(), port: address.port().into(), protocol, reserved: 0 }
    }
}

/// A number that differs where a layout does: maps of another are not taken over.
pub fn fingerprint() -> u64 {
    fingerprint_of(STRUCTURES)
}

pub(crate) fn fingerprint_of(structures: &[Structure]) -> u64 {
    fingerprint_by(structures.iter().map(|it| (it.name, it.size, it.fields.iter().copied())))
}

/// Of structures' names and sizes, and those of their fields with their offsets.
pub(crate) fn fingerprint_by<'a>(
    structures: impl Iterator<Item = (&'a str, usize, impl Iterator<Item = (&'a str, usize, usize)>)>,
) -> u64 {
    // FNV-1a: the same in every build.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| hash = bytes.iter().fold(hash, |hash, byte| step(hash, *byte));
    for (name, size, fields) in structures {
        add(name.as_bytes());
        add(&size.to_le_bytes());
        for (field, offset, size) in fields {
            add(field.as_bytes());
            add(&offset.to_le_bytes());
            add(&size.to_le_bytes());
        }
    }
    hash
}

/// Compares every type here with the programs'.
///
/// # Errors
///
/// The first difference.
pub fn verify(btf: &Btf) -> Result<(), LayoutError> {
    verify_all(btf, STRUCTURES)
}

pub(crate) fn verify_all(btf: &Btf, structures: &[Structure]) -> Result<(), LayoutError> {
    for structure in structures {
        let name = structure.name;
        let found = btf.structure(name)?.ok_or(LayoutError::Missing { name })?;
        if found.size as usize != structure.size {
            return Err(LayoutError::Size { name, ours: structure.size, theirs: found.size });
        }
        for (field, offset, size) in structure.fields {
            let theirs = found.field(field);
            if theirs != Some((*offset, *size)) {
                return Err(LayoutError::Field { name, field, ours: (*offset, *size), theirs });
            }
        }
        if let Some(field) =
            found.fields.iter().find(|it| !structure.fields.iter().any(|ours| ours.0 == it.name))
        {
            return Err(LayoutError::Unknown { name, field: field.name.clone() });
        }
    }
    Ok(())
}

/// The layouts of user space and of the programs differ: this binary was put together wrongly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LayoutError {
    #[error("the programs' type information: {0}")]
    Btf(#[from] BtfError),
    #[error("the programs have no structure `{name}`")]
    Missing { name: &'static str },
    #[error("`{name}` has {theirs} bytes in the programs and {ours} in user space")]
    Size { name: &'static str, ours: usize, theirs: u32 },
    #[error("`{name}.{field}`: offset and size are {theirs:?} in the programs and {ours:?} in user space")]
    Field { name: &'static str, field: &'static str, ours: (usize, usize), theirs: Option<(usize, usize)> },
    #[error("`{name}.{field}` is known to the programs alone")]
    Unknown { name: &'static str, field: String },
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{DropReason, object};

    #[test]
    fn the_programs_have_the_same_structures() {
        let btf = object::btf(object::OBJECT).unwrap();
        verify(&btf).unwrap();
    }

    /// `NAME = 1` and `NAME = 1 << 2` of the enumerations, and `#define NAME 1`.
    pub(crate) fn constants(header: &str) -> BTreeMap<String, i64> {
        let lines = header.lines().map(|line| line.trim().trim_end_matches(','));
        let pairs = lines.filter_map(|line| {
            line.split_once(" = ").or_else(|| line.strip_prefix("#define ")?.split_once(' '))
        });
        let value = |text: &str| match text.split_once(" << ") {
            Some((one, by)) => Some(one.parse::<i64>().ok()? << by.parse::<u32>().ok()?),
            None => text.parse().ok(),
        };
        pairs.filter_map(|(name, text)| Some((name.to_owned(), value(text)?))).collect()
    }

    #[test]
    fn the_programs_have_the_same_constants() {
        let mut theirs = constants(include_str!("../bpf/layout.h"));
        let ours: [(&str, i64); 14] = [
            ("MAGLEV_SLOTS", MAGLEV_SLOTS as i64),
            ("ENDPOINT_REFUSE", ENDPOINT_REFUSE.into()),
            ("SERVICE_SOURCE_AFFINITY", SERVICE_SOURCE_AFFINITY.into()),
            ("SERVICE_BESIDE_PROXY", SERVICE_BESIDE_PROXY.into()),
            ("ENDPOINT_ON_NODE", ENDPOINT_ON_NODE.into()),
            ("ENDPOINT_MASQUERADE", ENDPOINT_MASQUERADE.into()),
            ("ENDPOINT_ON_NEIGHBOUR", ENDPOINT_ON_NEIGHBOUR.into()),
            ("FLOW_FROM_CLIENT", FLOW_FROM_CLIENT.into()),
            ("FLOW_FROM_ENDPOINT", FLOW_FROM_ENDPOINT.into()),
            ("FLOW_REPLIED", FLOW_REPLIED.into()),
            ("FLOW_ESTABLISHED", FLOW_ESTABLISHED.into()),
            ("FLOW_FIN_FROM_CLIENT", FLOW_FIN_FROM_CLIENT.into()),
            ("FLOW_FIN_FROM_ENDPOINT", FLOW_FIN_FROM_ENDPOINT.into()),
            ("FLOW_RESET", FLOW_RESET.into()),
        ];
        for (name, value) in ours {
            assert_eq!(theirs.remove(name), Some(value), "{name}");
        }
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            let name = format!("DROP_{}", reason.as_str().to_uppercase());
            assert_eq!(theirs.remove(&name), i64::try_from(index).ok(), "{name}");
        }
        let count = i64::try_from(DropReason::ALL.len()).ok();
        assert_eq!(theirs.remove("DROP_REASONS"), count);
        assert_eq!(theirs, BTreeMap::new(), "known to the programs alone");
    }

    #[test]
    fn a_difference_is_found() {
        let mut btf = object::btf(object::OBJECT).unwrap();
        btf.rename("last_seen", "last_been");
        let error = verify(&btf).unwrap_err().to_string();
        assert_eq!(
            error,
            "`flow.last_seen`: offset and size are None in the programs and (40, 8) in user space"
        );
    }

    #[test]
    fn addresses_keep_their_family() {
        for text in ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(IpAddr::from(Address::from(address)), address.to_canonical());
        }
    }
}
