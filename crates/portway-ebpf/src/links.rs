//! The network interfaces of this machine, and when they or the routes change.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, NetlinkAddr, SockProtocol, bind, recv};

use crate::netlink::{
    NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, attributes, error, messages, open, receive, send,
};

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index, never used a second time in a network namespace.
    pub index: u32,
    /// Its name, which can change.
    pub name: String,
    /// What it is, as `ip -details link` has it; empty for hardware.
    pub kind: String,
    /// Whether its packets have Ethernet headers.
    pub is_ethernet: bool,
    /// Whether its other end is in another network namespace.
    pub leads_elsewhere: bool,
    /// The bridge that it is a port of.
    pub bridge: Option<u32>,
    /// Whether it is up.
    pub is_up: bool,
}

// rtnetlink(7), <linux/if_link.h>, <linux/if_arp.h> and <linux/rtnetlink.h>.
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const IFF_UP: u32 = 1;
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
/// Bytes of `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
/// Bits of an attribute's type that say how its value is laid out.
const ATTRIBUTE_FLAGS: u16 = 0xc000;
/// Links, addresses and routes of both families.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// All interfaces of the network namespace of this thread, but for the loopback.
///
/// # Errors
///
/// The kernel does not answer.
pub fn all() -> io::Result<Vec<Link>> {
    let socket = open(SockProtocol::NetlinkRoute)?;
    send(&socket, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, &[0; LINK_HEADER])?;
    let mut found = Vec::new();
    loop {
        for (kind, body) in messages(&receive(&socket)?) {
            match kind {
                RTM_NEWLINK => found.extend(link(body)),
                NLMSG_DONE => return Ok(found),
                NLMSG_ERROR => return Err(error(body).into()),
                _ => {}
            }
        }
    }
}

fn link(body: &[u8]) -> Option<Link> {
    let (header, rest) = body.split_first_chunk::<LINK_HEADER>()?;
    let kind = u16::from_ne_bytes([header[2], header[3]]);
    if kind == ARPHRD_LOOPBACK {
        return None;
    }
    let index = u32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
    let flags = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
    let mut link = Link {
        index,
        name: String::new(),
        kind: String::new(),
        is_ethernet: kind == ARPHRD_ETHER,
        leads_elsewhere: false,
        bridge: None,
        is_up: flags & IFF_UP != 0,
    };
    for (kind, value) in attributes(rest) {
        match kind & !ATTRIBUTE_FLAGS {
            IFLA_IFNAME => link.name = text(value),
            IFLA_MASTER => link.bridge = value.first_chunk().map(|it| u32::from_ne_bytes(*it)),
            IFLA_LINK_NETNSID => link.leads_elsewhere = true,
            IFLA_LINKINFO => {
                let kind = attributes(value).into_iter().find(|(kind, _)| *kind == IFLA_INFO_KIND);
                link.kind = kind.map(|(_, value)| text(value)).unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(link)
}

/// Up to the zero that it ends with.
fn text(value: &[u8]) -> String {
    let bytes = value.split(|it| *it == 0).next().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// Tells when links, addresses or routes have changed.
#[derive(Debug)]
pub struct Watch(OwnedFd);

impl Watch {
    /// Of the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// The system has no socket for it.
    pub fn open() -> io::Result<Self> {
        let socket = open(SockProtocol::NetlinkRoute)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Waits for a change, some seconds at most; whether there was one. What it was does not matter: whoever waits looks at everything
    /// again.
    pub fn wait(&self) -> bool {
        let mut buffer = vec![0; 32 * 1024];
        match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            // More has come than there was room for: that, too, is a change.
            Ok(_) | Err(Errno::ENOBUFS) => true,
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_is_no_link() {
        assert!(link(&[0; LINK_HEADER - 1]).is_none());
        let mut whole = vec![0; LINK_HEADER];
        whole[2..4].copy_from_slice(&ARPHRD_ETHER.to_ne_bytes());
        whole[4] = 7;
        whole.extend([9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0]);
        let found = link(&whole).unwrap();
        assert_eq!((found.index, found.name.as_str(), found.is_ethernet), (7, "eth0", true));
        assert_eq!(link(&whole[..LINK_HEADER + 5]).unwrap().name, "");
    }

    #[test]
    fn the_machines_own_are_found() {
        // Every machine has the loopback, which is left out.
        assert!(all().unwrap().iter().all(|it| it.name != "lo" && it.index > 0));
    }
}
