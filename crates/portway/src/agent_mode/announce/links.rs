//! At which interfaces an address is announced.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::{LinkAddr, SockaddrStorage};
use portway_ebpf::announce::Link;

/// ARPHRD_ETHER (netdevice(7)).
const ETHERNET: u16 = 1;

/// An Ethernet interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) link: Link,
    /// Addresses, each with the mask of its network.
    pub(super) networks: Vec<(IpAddr, IpAddr)>,
}

impl Interface {
    fn is_in_network_of(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|(own, mask)| match (own, mask, address) {
            (IpAddr::V4(own), IpAddr::V4(mask), IpAddr::V4(it)) => *own & *mask == it & *mask,
            (IpAddr::V6(own), IpAddr::V6(mask), IpAddr::V6(it)) => *own & *mask == it & *mask,
            _ => false,
        })
    }
}

/// The interfaces as they are now.
pub(super) fn interfaces() -> Vec<Interface> {
    let all: Vec<_> = getifaddrs().into_iter().flatten().collect();
    let mut found: BTreeMap<&str, Interface> = BTreeMap::new();
    for it in all.iter().filter(|it| it.flags.contains(InterfaceFlags::IFF_UP)) {
        let link = it.address.as_ref().and_then(|it| it.as_link_addr());
        let octets = link.filter(|it| it.hatype() == ETHERNET).and_then(LinkAddr::addr);
        // One that goes away at this moment has no index any more.
        let index = if_nametoindex(it.interface_name.as_str());
        if let (Some(address), Ok(interface)) = (octets, index) {
            let link = Link { interface, address };
            let name = it.interface_name.clone();
            found.insert(&it.interface_name, Interface { name, link, networks: Vec::new() });
        }
    }
    for it in &all {
        let ip = |it: &SockaddrStorage| {
            let ipv4 = it.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
            ipv4.or_else(|| it.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
        };
        let (address, mask) = (it.address.as_ref().and_then(ip), it.netmask.as_ref().and_then(ip));
        let interface = found.get_mut(it.interface_name.as_str());
        if let (Some(interface), Some(address), Some(mask)) = (interface, address, mask) {
            interface.networks.push((address, mask));
        }
    }
    found.into_values().collect()
}

/// The interfaces at which each address is announced: those that are named, or else those in its network. Addresses without
/// any are left out.
pub(super) fn places(
    addresses: &BTreeSet<IpAddr>,
    interfaces: &[Interface],
    named: &[String],
) -> BTreeMap<IpAddr, Vec<Link>> {
    let mut places = BTreeMap::new();
    for address in addresses {
        let is_place = |it: &&Interface| {
            if named.is_empty() { it.is_in_network_of(*address) } else { named.contains(&it.name) }
        };
        let links: Vec<_> = interfaces.iter().filter(is_place).map(|it| it.link).collect();
        if !links.is_empty() {
            places.insert(*address, links);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str, networks: &[(&str, &str)]) -> Interface {
        let networks = networks.iter().map(|(own, mask)| (own.parse().unwrap(), mask.parse().unwrap()));
        let link = Link { interface: index, address: [0; 6] };
        Interface { name: name.to_owned(), link, networks: networks.collect() }
    }

    #[test]
    fn an_address_is_announced_in_its_own_network_or_where_it_is_asked_for() {
        let interfaces = [
            interface(1, "eth0", &[("192.0.2.1", "255.255.255.0"), ("2001:db8::1", "ffff:ffff:ffff:ffff::")]),
            interface(2, "pod", &[("10.0.0.1", "255.255.255.255")]),
            interface(3, "eth1", &[]),
        ];
        let addresses = ["192.0.2.200", "192.0.3.1", "2001:db8::99", "2001:db8:1::1", "10.0.0.2"];
        let addresses = addresses.map(|it| it.parse().unwrap()).into();
        let at = |named: &[&str]| {
            let named: Vec<_> = named.iter().map(|it| (*it).to_owned()).collect();
            let places = places(&addresses, &interfaces, &named);
            let shown = places.into_iter().map(|(address, links)| {
                format!("{address} {:?}", links.iter().map(|it| it.interface).collect::<Vec<_>>())
            });
            shown.collect::<Vec<_>>()
        };
        assert_eq!(at(&[]), ["192.0.2.200 [1]", "2001:db8::99 [1]"]);
        assert_eq!(at(&["eth1"]).len(), 5);
        assert_eq!(at(&["eth1", "pod"])[0], "10.0.0.2 [2, 3]");
        assert!(at(&["eth2"]).is_empty());
    }
}
