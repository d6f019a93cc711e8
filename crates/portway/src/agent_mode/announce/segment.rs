//! The sockets by which agents on a segment hear each other.
//!
//! They are bound to the broadcast address, and to the group of all nodes of a link: what is sent to this node's own address,
//! as it would have to be from beyond a router, is not received.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::task::Poll;

use portway_announce::Heartbeat;
use portway_ebpf::announce::Link;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::links::Interface;

/// Where heartbeats are sent.
pub(super) const PORT: u16 = 19903;

/// All nodes of a link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Longer than any heartbeat.
const LONGEST: usize = 2048;

/// The sockets of all segments.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// By interface, of either family that it has.
    sockets: BTreeMap<(Link, Family), UdpSocket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Segments {
    /// Listens on these interfaces, and no others. What cannot be opened is tried again the next time.
    pub(super) fn listen_on(&mut self, links: &BTreeSet<Link>, interfaces: &[Interface]) {
        self.sockets.retain(|(link, _), _| links.contains(link));
        for interface in interfaces.iter().filter(|it| links.contains(&it.link)) {
            for family in [Family::Ipv4, Family::Ipv6] {
                let key = (interface.link, family);
                if self.sockets.contains_key(&key) || !has_family(interface, family) {
                    continue;
                }
                match open(interface, family) {
                    Ok(socket) => drop(self.sockets.insert(key, socket)),
                    Err(error) => tracing::warn!(
                        "agents of other nodes cannot be heard at the interface {} by {family:?}: {error}",
                        interface.name
                    ),
                }
            }
        }
    }

    /// Waits until there is something to receive.
    pub(super) async fn readable(&self) {
        std::future::poll_fn(|context| {
            let is_ready = |it: &UdpSocket| it.poll_recv_ready(context).is_ready();
            // Each must be asked, to be woken by each.
            let ready = self.sockets.values().map(is_ready).fold(false, |any, it| any | it);
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// All that has come.
    pub(super) fn receive(&self) -> Vec<Heartbeat> {
        let mut heard = Vec::new();
        let mut datagram = [0; LONGEST];
        for socket in self.sockets.values() {
            while let Ok((length, from)) = socket.try_recv_from(&mut datagram) {
                match Heartbeat::decode(datagram.get(..length).unwrap_or_default()) {
                    Ok(heartbeat) => heard.push(heartbeat),
                    Err(error) => {
                        tracing::debug!("a datagram of {from} to port {PORT} is passed over: {error}");
                    }
                }
            }
        }
        heard
    }

    pub(super) fn send(&self, heartbeat: &Heartbeat) {
        for datagram in heartbeat.encode() {
            for ((link, family), socket) in &self.sockets {
                let to = match family {
                    Family::Ipv4 => SocketAddr::new(Ipv4Addr::BROADCAST.into(), PORT),
                    Family::Ipv6 => all_nodes(link.interface),
                };
                if let Err(error) = socket.try_send_to(&datagram, to) {
                    tracing::debug!("a heartbeat to {to} was not sent: {error}");
                }
            }
        }
    }

    /// Has questions for an IPv6 address sent here, where switches and network cards filter groups (RFC 4861, section
    /// 7.2.1); or not any more.
    pub(super) fn follow_questions(&self, address: IpAddr, link: Link, follows: bool) {
        let IpAddr::V6(address) = address else { return };
        let Some(socket) = self.sockets.get(&(link, Family::Ipv6)) else { return };
        let [.., high, middle, low] = address.octets();
        let group =
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(high), u16::from_be_bytes([middle, low]));
        let done = if follows {
            socket2::SockRef::from(socket).join_multicast_v6(&group, link.interface)
        } else {
            socket2::SockRef::from(socket).leave_multicast_v6(&group, link.interface)
        };
        // Joined already, or by another address that ends alike.
        if let Err(error) = done {
            tracing::debug!("the group {group} of {address}: {error}");
        }
    }
}

fn has_family(interface: &Interface, family: Family) -> bool {
    interface.networks.iter().any(|(own, _)| match own {
        IpAddr::V4(_) => family == Family::Ipv4,
        IpAddr::V6(own) => family == Family::Ipv6 && own.is_unicast_link_local(),
    })
}

fn all_nodes(interface: u32) -> SocketAddr {
    SocketAddrV6::new(ALL_NODES, PORT, 0, interface).into()
}

fn open(interface: &Interface, family: Family) -> io::Result<UdpSocket> {
    let (domain, address) = match family {
        Family::Ipv4 => (Domain::IPV4, SocketAddr::new(Ipv4Addr::BROADCAST.into(), PORT)),
        Family::Ipv6 => (Domain::IPV6, all_nodes(interface.link.interface)),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // One for each interface has the same address, and an agent before this one may not be gone yet.
    socket.set_reuse_address(true)?;
    socket.bind_device(Some(interface.name.as_bytes()))?;
    if family == Family::Ipv4 {
        socket.set_broadcast(true)?;
    } else {
        socket.set_only_v6(true)?;
        socket.set_multicast_if_v6(interface.link.interface)?;
    }
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
