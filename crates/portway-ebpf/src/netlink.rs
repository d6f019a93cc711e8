//! Questions to the kernel by netlink: which way leads to an address, and whether anybody filters packets.

mod tables;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;

pub use self::tables::{LinkAddress, ask_for_neighbour, interfaces_with_routes, neighbours};

/// The way that the routing table has for packets of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Index of the interface that they leave by.
    pub interface: u32,
    /// The machine's address that they carry as source.
    pub source: Option<IpAddr>,
    /// Whether the address is one of the machine's own.
    pub is_local: bool,
    /// Whether the address is a neighbour on that interface, with no router in between.
    pub is_neighbour: bool,
}

/// Asks the routing table. Each question takes some microseconds.
#[derive(Debug)]
pub struct Routes(OwnedFd);

// rtnetlink(7), <linux/rtnetlink.h> and <linux/netfilter/nf_tables.h>.
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_VIA: u16 = 18;
const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const NFT_MSG_NEWTABLE: u16 = 10 << 8;
const NFT_MSG_GETTABLE: u16 = (10 << 8) | 1;

pub(crate) const NLM_F_REQUEST: u16 = 1;
pub(crate) const NLM_F_DUMP: u16 = 0x300;
pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
/// Bytes of `struct nlmsghdr`, `struct rtmsg` and an attribute's header.
const MESSAGE_HEADER: usize = 16;
const ROUTE_HEADER: usize = 12;
const ATTRIBUTE_HEADER: usize = 4;

/// No answer of these takes longer, unless the kernel is in trouble.
const PATIENCE_SECONDS: i64 = 5;

impl Routes {
    /// Opens the way to the kernel, for the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// The system has no socket for it.
    pub fn open() -> io::Result<Self> {
        open(SockProtocol::NetlinkRoute).map(Self)
    }

    /// The way to an address. None: there is no way.
    ///
    /// # Errors
    ///
    /// The kernel does not answer.
    pub fn towards(&self, address: IpAddr) -> io::Result<Option<Route>> {
        let (family, octets) = match address {
            IpAddr::V4(v4) => (libc_family(AddressFamily::Inet), v4.octets().to_vec()),
            IpAddr::V6(v6) => (libc_family(AddressFamily::Inet6), v6.octets().to_vec()),
        };
        let mut body = vec![0; ROUTE_HEADER];
        (body[0], body[1]) = (family, octets.len() as u8 * 8);
        body.extend(((ATTRIBUTE_HEADER + octets.len()) as u16).to_ne_bytes());
        body.extend(RTA_DST.to_ne_bytes());
        body.extend(octets);
        send(&self.0, RTM_GETROUTE, NLM_F_REQUEST, &body)?;
        for (kind, body) in messages(&receive(&self.0)?) {
            match kind {
                RTM_NEWROUTE => return Ok(route(body)),
                NLMSG_ERROR => {
                    return match error(body) {
                        Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EACCES | Errno::EINVAL => Ok(None),
                        error => Err(error.into()),
                    };
                }
                _ => {}
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn route(body: &[u8]) -> Option<Route> {
    // Where `struct rtmsg` has its type.
    let kind = *body.get(7)?;
    let is_local = kind == RTN_LOCAL;
    if !is_local && kind != RTN_UNICAST {
        return None;
    }
    let (mut interface, mut source, mut is_neighbour) = (None, None, true);
    for (kind, value) in attributes(body.get(ROUTE_HEADER..)?) {
        match kind {
            RTA_OIF => interface = value.first_chunk().map(|it| u32::from_ne_bytes(*it)),
            RTA_PREFSRC => source = address(value),
            RTA_GATEWAY | RTA_VIA => is_neighbour = false,
            _ => {}
        }
    }
    Some(Route { interface: interface?, source, is_local, is_neighbour })
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let ipv4 = || <[u8; 4]>::try_from(octets).ok().map(|it| Ipv4Addr::from(it).into());
    let ipv6 = || <[u8; 16]>::try_from(octets).ok().map(|it| Ipv6Addr::from(it).into());
    ipv4().or_else(ipv6)
}

/// Whether there are tables of nftables or iptables in the network namespace of this thread, whose rules packets may
/// have to meet.
///
/// # Errors
///
/// It may not be asked (CAP_NET_ADMIN), or the kernel does not answer.
pub fn has_packet_filters() -> io::Result<bool> {
    for names in ["ip_tables_names", "ip6_tables_names"] {
        // It is there only if the module is.
        if std::fs::read(format!("/proc/thread-self/net/{names}")).is_ok_and(|it| !it.is_empty()) {
            return Ok(true);
        }
    }
    let socket = match open(SockProtocol::NetlinkNetFilter) {
        Ok(socket) => socket,
        Err(error) if error.raw_os_error() == Some(Errno::EPROTONOSUPPORT as i32) => return Ok(false),
        Err(error) => return Err(error),
    };
    // `struct nfgenmsg`: tables of every family.
    send(&socket, NFT_MSG_GETTABLE, NLM_F_REQUEST | NLM_F_DUMP, &[0; 4])?;
    loop {
        for (kind, body) in messages(&receive(&socket)?) {
            match kind {
                NFT_MSG_NEWTABLE => return Ok(true),
                NLMSG_DONE => return Ok(false),
                NLMSG_ERROR => {
                    return match error(body) {
                        // The kernel has no nftables.
                        Errno::EINVAL | Errno::EOPNOTSUPP => Ok(false),
                        error => Err(error.into()),
                    };
                }
                _ => {}
            }
        }
    }
}

fn libc_family(family: AddressFamily) -> u8 {
    // All families are below 256.
    family as i32 as u8
}

pub(crate) fn open(protocol: SockProtocol) -> io::Result<OwnedFd> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(PATIENCE_SECONDS, 0))?;
    Ok(socket)
}

pub(crate) fn send(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let mut message = ((MESSAGE_HEADER + body.len()) as u32).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    // Sequence and sender: a socket has one question at a time.
    message.extend([0; 8]);
    message.extend(body);
    sendto(socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    Ok(())
}

pub(crate) fn receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 32 * 1024];
    let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    buffer.truncate(length);
    Ok(buffer)
}

/// Type and body of each message.
pub(crate) fn messages(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some((header, after)) = rest.split_first_chunk::<MESSAGE_HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some(body) = length.checked_sub(MESSAGE_HEADER).and_then(|length| after.get(..length)) else {
            break;
        };
        found.push((u16::from_ne_bytes([header[4], header[5]]), body));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// Type and value of each attribute.
pub(crate) fn attributes(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(([length0, length1, kind0, kind1], after)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_ne_bytes([*length0, *length1]));
        let Some(value) = length.checked_sub(ATTRIBUTE_HEADER).and_then(|length| after.get(..length)) else {
            break;
        };
        found.push((u16::from_ne_bytes([*kind0, *kind1]), value));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// What `struct nlmsgerr` begins with.
pub(crate) fn error(body: &[u8]) -> Errno {
    Errno::from_raw(body.first_chunk().map_or(0, |it| -i32::from_ne_bytes(*it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_itself_is_local() {
        let routes = Routes::open().unwrap();
        let found = routes.towards(Ipv4Addr::LOCALHOST.into()).unwrap().unwrap();
        assert!(found.is_local);
        assert_eq!(found.source, Some(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(routes.towards(Ipv4Addr::new(255, 255, 255, 255).into()).unwrap(), None, "broadcast");
    }

    #[test]
    fn bytes_that_contradict_themselves_end_the_reading() {
        let mut bytes = [vec![20, 0, 0, 0, 3, 0, 0, 0], vec![0; 12]].concat();
        bytes[..4].copy_from_slice(&20_u32.to_ne_bytes());
        assert_eq!(messages(&bytes), [(NLMSG_DONE, [0; 4].as_slice())]);
        bytes[..4].copy_from_slice(&24_u32.to_ne_bytes());
        assert!(messages(&bytes).is_empty());
        bytes[..4].copy_from_slice(&3_u32.to_ne_bytes());
        assert!(messages(&bytes).is_empty());
        assert!(attributes(&[3, 0, 0, 0, 0]).is_empty());
        assert!(attributes(&[0xff; 7]).is_empty());
        assert!(route(&[]).is_none());
    }
}
