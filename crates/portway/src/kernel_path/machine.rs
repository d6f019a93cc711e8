//! What is known of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::SockaddrIn6;
use portway_ebpf::Node;
use portway_ebpf::netlink::{
    LinkAddress, Route, Routes, ask_for_neighbour, has_packet_filters, interfaces_with_routes, neighbours,
};

/// Interfaces that the programs can be attached to, and what the kernel would do for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    /// Ethernet interfaces that are up, by their indices.
    pub(super) interfaces: BTreeMap<u32, Interface>,
    /// Whether each interface with an address of the family forwards.
    pub(super) forwards_ipv4: bool,
    pub(super) forwards_ipv6: bool,
    /// The last port that the system gives to sockets that ask for any.
    pub(super) last_local_port: u16,
    pub(super) packet_filters: PacketFilters,
    /// The ways to the endpoints, where there are any.
    pub(super) routes: BTreeMap<IpAddr, Route>,
    /// Of a node: the interfaces that routes lead to, those of pods among them.
    pub(super) led_to: BTreeSet<u32>,
    /// Of a node: the Ethernet addresses of other nodes, as far as they are neighbours.
    pub(super) links: BTreeMap<IpAddr, LinkAddress>,
}

/// Whether packets may have to meet rules of nftables or iptables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum PacketFilters {
    #[default]
    Absent,
    Present,
    /// Why it cannot be told.
    Unknown(String),
}

/// An Ethernet interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    /// Without those of the link alone.
    pub(super) addresses: Vec<IpAddr>,
}

/// ARPHRD_ETHER (netdevice(7)).
const ETHERNET: u16 = 1;

impl Machine {
    /// As it is now, with the ways to these endpoints. What cannot be read is taken to be the worse.
    pub(super) fn read(endpoints: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut machine = Self {
            interfaces: interfaces(),
            last_local_port: last_local_port(),
            packet_filters: packet_filters(),
            ..Self::default()
        };
        let forward = |family, is_of: fn(&IpAddr) -> bool| {
            let mut of_family = machine.interfaces.values().filter(|it| it.addresses.iter().any(is_of));
            of_family.all(|it| forwards(family, &it.name))
        };
        (machine.forwards_ipv4, machine.forwards_ipv6) =
            (forward("ipv4", IpAddr::is_ipv4), forward("ipv6", IpAddr::is_ipv6));
        machine.routes = routes(endpoints).unwrap_or_default();
        machine
    }

    /// Looks at what a node must know beyond that: `nodes` are the addresses of others, the ways to which have been read.
    pub(super) fn read_links(&mut self, nodes: &[IpAddr]) {
        self.led_to = interfaces_with_routes().unwrap_or_default();
        let mut known = neighbours().unwrap_or_default();
        known.retain(|address, _| nodes.contains(address));
        for address in nodes.iter().filter(|it| !known.contains_key(it)) {
            if let Some(route) = self.routes.get(address).filter(|it| it.is_neighbour && !it.is_local) {
                // Its answer is seen at the next look; nothing waits for it.
                let _ = ask_for_neighbour(route.interface, *address);
            }
        }
        self.links = known;
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces.values().flat_map(|it| &it.addresses).copied()
    }

    /// The addresses that a socket on `address` is reached by through the interfaces.
    pub(super) fn reached_by(&self, address: IpAddr) -> Vec<IpAddr> {
        let is_reached = |own: &IpAddr| match address {
            IpAddr::V4(it) if it.is_unspecified() => own.is_ipv4(),
            // A socket for all IPv6 addresses takes IPv4 as well.
            IpAddr::V6(it) if it.is_unspecified() => true,
            address => *own == address,
        };
        self.addresses().filter(is_reached).collect()
    }

    pub(super) fn forwards(&self, family_of: IpAddr) -> bool {
        if family_of.is_ipv4() { self.forwards_ipv4 } else { self.forwards_ipv6 }
    }

    /// As the programs are told. An address that is known to be the node's comes before others.
    pub(super) fn node(&self, known: Option<IpAddr>) -> Node {
        let addresses = || known.into_iter().chain(self.addresses());
        let ipv4 = addresses().find_map(|it| match it {
            IpAddr::V4(ipv4) => Some(ipv4),
            IpAddr::V6(_) => None,
        });
        let ipv6 = addresses().find_map(|it| match it {
            IpAddr::V6(ipv6) => Some(ipv6),
            IpAddr::V4(_) => None,
        });
        Node { ipv4, ipv6 }
    }
}

fn interfaces() -> BTreeMap<u32, Interface> {
    let all: Vec<_> = getifaddrs().into_iter().flatten().collect();
    let mut named: BTreeMap<&str, Interface> = BTreeMap::new();
    for interface in &all {
        let link = interface.address.as_ref().and_then(|it| it.as_link_addr());
        let is_ethernet = link.is_some_and(|it| it.hatype() == ETHERNET);
        if is_ethernet && interface.flags.contains(InterfaceFlags::IFF_UP) {
            let name = interface.interface_name.clone();
            named.insert(&interface.interface_name, Interface { name, addresses: Vec::new() });
        }
    }
    for interface in &all {
        let Some(found) = named.get_mut(interface.interface_name.as_str()) else {
            continue;
        };
        let address = interface.address.as_ref();
        let ipv4 = address.and_then(|it| it.as_sockaddr_in()).map(|it| IpAddr::V4(it.ip()));
        let ipv6 = address.and_then(|it| it.as_sockaddr_in6()).map(SockaddrIn6::ip);
        let ipv6 = ipv6.filter(|it| !it.is_unicast_link_local()).map(IpAddr::V6);
        found.addresses.extend(ipv4.or(ipv6));
    }
    // One that goes away at this moment has no index any more.
    let indexed = |it: Interface| Some((if_nametoindex(it.name.as_str()).ok()?, it));
    named.into_values().filter_map(indexed).collect()
}

fn packet_filters() -> PacketFilters {
    match has_packet_filters() {
        Ok(false) => PacketFilters::Absent,
        Ok(true) => PacketFilters::Present,
        Err(error) => PacketFilters::Unknown(error.to_string()),
    }
}

fn routes(endpoints: impl IntoIterator<Item = IpAddr>) -> io::Result<BTreeMap<IpAddr, Route>> {
    let routes = Routes::open()?;
    let mut found = BTreeMap::new();
    for address in endpoints {
        if let Some(route) = routes.towards(address)? {
            found.insert(address, route);
        }
    }
    Ok(found)
}

fn knob(path: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/sys/net/{path}")).ok()
}

fn forwards(family: &str, interface: &str) -> bool {
    knob(&format!("{family}/conf/{interface}/forwarding")).is_some_and(|it| it.trim() == "1")
}

fn last_local_port() -> u16 {
    let range = knob("ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().nth(1).and_then(|it| it.parse().ok()).unwrap_or(u16::MAX)
}
