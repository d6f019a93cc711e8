//! What the kernel has in its tables of routes and of neighbours, as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockProtocol};

use super::{
    ATTRIBUTE_HEADER, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, ROUTE_HEADER, RTA_DST, RTA_OIF,
    RTM_GETROUTE, RTM_NEWROUTE, RTN_UNICAST, address, attributes, error, libc_family, messages, open,
    receive, send,
};

// rtnetlink(7) and <linux/neighbour.h>.
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NTF_USE: u8 = 1;
const NLM_F_CREATE: u16 = 0x400;
/// Bytes of `struct ndmsg`.
const NEIGHBOUR_HEADER: usize = 12;

/// An Ethernet address.
pub type LinkAddress = [u8; 6];

/// Indices of the interfaces that routes lead to, but for those of a link alone: interfaces of pods have no address, as a
/// rule, and a route for each pod.
///
/// # Errors
///
/// The kernel does not answer.
pub fn interfaces_with_routes() -> io::Result<BTreeSet<u32>> {
    let socket = open(SockProtocol::NetlinkRoute)?;
    let mut found = BTreeSet::new();
    dump(&socket, RTM_GETROUTE, &[0; ROUTE_HEADER], |kind, body| {
        if kind == RTM_NEWROUTE {
            found.extend(led_to(body));
        }
    })?;
    Ok(found)
}

/// The interface of a route to somewhere.
fn led_to(body: &[u8]) -> Option<u32> {
    // Where `struct rtmsg` has its type.
    if *body.get(7)? != RTN_UNICAST {
        return None;
    }
    let (mut interface, mut is_of_link) = (None, false);
    for (kind, value) in attributes(body.get(ROUTE_HEADER..)?) {
        match kind {
            RTA_OIF => interface = value.first_chunk().map(|it| u32::from_ne_bytes(*it)),
            RTA_DST => {
                is_of_link = matches!(address(value), Some(IpAddr::V6(it)) if it.is_unicast_link_local());
            }
            _ => {}
        }
    }
    interface.filter(|_| !is_of_link)
}

/// The Ethernet addresses of neighbours, as far as they are known.
///
/// # Errors
///
/// The kernel does not answer.
pub fn neighbours() -> io::Result<BTreeMap<IpAddr, LinkAddress>> {
    let socket = open(SockProtocol::NetlinkRoute)?;
    let mut found = BTreeMap::new();
    dump(&socket, RTM_GETNEIGH, &[0; NEIGHBOUR_HEADER], |kind, body| {
        if kind == RTM_NEWNEIGH {
            found.extend(neighbour(body));
        }
    })?;
    Ok(found)
}

fn neighbour(body: &[u8]) -> Option<(IpAddr, LinkAddress)> {
    let (mut of, mut link) = (None, None);
    for (kind, value) in attributes(body.get(NEIGHBOUR_HEADER..)?) {
        match kind {
            NDA_DST => of = address(value),
            NDA_LLADDR => link = LinkAddress::try_from(value).ok(),
            _ => {}
        }
    }
    Some((of?, link?))
}

/// Has the kernel ask for the Ethernet address of a neighbour; the answer is in [`neighbours`] soon.
///
/// # Errors
///
/// The kernel does not (CAP_NET_ADMIN).
pub fn ask_for_neighbour(interface: u32, of: IpAddr) -> io::Result<()> {
    let (family, octets) = match of {
        IpAddr::V4(v4) => (AddressFamily::Inet, v4.octets().to_vec()),
        IpAddr::V6(v6) => (AddressFamily::Inet6, v6.octets().to_vec()),
    };
    let mut body = vec![0; NEIGHBOUR_HEADER];
    body[0] = libc_family(family);
    body[4..8].copy_from_slice(&interface.to_ne_bytes());
    body[10] = NTF_USE;
    body.extend(((ATTRIBUTE_HEADER + octets.len()) as u16).to_ne_bytes());
    body.extend(NDA_DST.to_ne_bytes());
    body.extend(octets);
    // Answered only if it is refused, which is found out by the table.
    send(&open(SockProtocol::NetlinkRoute)?, RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE, &body)
}

/// Asks for a table, and hands over each message of it.
fn dump(socket: &OwnedFd, question: u16, body: &[u8], mut take: impl FnMut(u16, &[u8])) -> io::Result<()> {
    send(socket, question, NLM_F_REQUEST | NLM_F_DUMP, body)?;
    loop {
        for (kind, body) in messages(&receive(socket)?) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => {
                    let error: Errno = error(body);
                    return Err(error.into());
                }
                kind => take(kind, body),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_can_be_read() {
        interfaces_with_routes().unwrap();
        neighbours().unwrap();
    }

    #[test]
    fn what_is_cut_short_is_passed_over() {
        for length in 0..40 {
            let bytes = vec![1; length];
            assert_eq!((led_to(&bytes), neighbour(&bytes)), (None, None));
        }
    }
}
