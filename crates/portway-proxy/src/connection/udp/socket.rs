//! A socket towards UDP clients, which answers from the address that the client wrote to.

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Who speaks to which of our addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    /// The client.
    pub(super) peer: SocketAddr,
    /// The address that it wrote to. A socket on a wildcard address would answer from whichever address the
    /// route to the client has, and the client would not take that for an answer.
    pub(super) local: Option<IpAddr>,
}

/// A socket towards UDP clients.
#[derive(Debug)]
pub(super) struct ClientSocket {
    socket: UdpSocket,
    /// Where the kernel writes what it knows of a datagram beside its content.
    control: RefCell<Vec<u8>>,
}

impl ClientSocket {
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        if socket.local_addr()?.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        let control = RefCell::new(nix::cmsg_space!(in6_pktinfo));
        Ok(Self { socket: UdpSocket::from_std(socket)?, control })
    }

    /// Waits for a datagram.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Flow)> {
        self.socket.async_io(Interest::READABLE, || self.try_receive(buffer)).await
    }

    /// Sends a datagram. It is lost when the socket's buffer is full, as it might be anywhere on its way.
    pub(super) fn send(&self, datagram: &[u8], flow: &Flow) -> io::Result<()> {
        let v4;
        let v6;
        let control = match flow.local {
            None => None,
            Some(IpAddr::V4(local)) => {
                let any = in_addr { s_addr: 0 };
                v4 = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: to_in_addr(local), ipi_addr: any };
                Some(ControlMessage::Ipv4PacketInfo(&v4))
            }
            Some(IpAddr::V6(local)) => {
                v6 = in6_pktinfo { ipi6_addr: in6_addr { s6_addr: local.octets() }, ipi6_ifindex: 0 };
                Some(ControlMessage::Ipv6PacketInfo(&v6))
            }
        };
        let peer = SockaddrStorage::from(flow.peer);
        self.socket.try_io(Interest::WRITABLE, || {
            let data = [IoSlice::new(datagram)];
            sendmsg(self.socket.as_raw_fd(), &data, control.as_slice(), MsgFlags::empty(), Some(&peer))?;
            Ok(())
        })
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Flow)> {
        let mut control = self.control.borrow_mut();
        let mut data = [IoSliceMut::new(buffer)];
        let control = Some(control.as_mut_slice());
        let message =
            recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut data, control, MsgFlags::empty())?;
        let peer = message.address.as_ref().and_then(socket_address);
        let peer = peer.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
        let local = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(IpAddr::V4(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes())))
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)))
            }
            _ => None,
        });
        Ok((message.bytes, Flow { peer, local }))
    }
}

fn to_in_addr(address: Ipv4Addr) -> in_addr {
    in_addr { s_addr: u32::from_ne_bytes(address.octets()) }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|it| SocketAddr::from(*it));
    v4.or_else(|| address.as_sockaddr_in6().map(|it| SocketAddr::from(*it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a wildcard address the answer comes from where the client wrote to.
    async fn answers_from(bound: &str, written_to: &str) {
        let socket = std::net::UdpSocket::bind(bound).unwrap();
        socket.set_nonblocking(true).unwrap();
        let port = socket.local_addr().unwrap().port();
        let socket = ClientSocket::new(socket).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // A client that is connected takes answers from this address only.
        client.connect((written_to, port)).await.unwrap();
        client.send(b"question").await.unwrap();

        let mut buffer = [0; 64];
        let (length, flow) = socket.receive(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"question");
        assert_eq!(flow.local.map(|it| it.to_canonical()), Some(written_to.parse().unwrap()));
        socket.send(b"answer", &flow).unwrap();
        let answered = tokio::time::timeout(std::time::Duration::from_secs(5), client.recv(&mut buffer));
        assert_eq!(answered.await.expect("an answer").unwrap(), 6);
    }

    #[tokio::test]
    async fn answers_come_from_the_address_that_was_written_to() {
        answers_from("0.0.0.0:0", "127.0.0.2").await;
        answers_from("127.0.0.3:0", "127.0.0.3").await;
    }

    #[tokio::test]
    async fn a_dual_stack_socket_answers_ipv4_likewise() {
        if std::net::UdpSocket::bind("[::]:0").is_err() {
            eprintln!("skipped: this machine has no IPv6");
            return;
        }
        answers_from("[::]:0", "127.0.0.2").await;
    }
}
