//! Binding sockets: one for each worker, all on the same address.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use portway_config::NamespacedName;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use crate::limits::Limits;
use crate::snapshot::{Binding, Transport};

/// A bound socket, on its way to a worker.
#[derive(Debug)]
pub(crate) enum BoundSocket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Why a socket is not bound. All others are served.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {transport} {address} for Gateway {gateway}: {error}",
    transport = binding.transport, address = binding.address)]
pub struct BindFailure {
    /// The Gateway that wants it.
    pub gateway: NamespacedName,
    /// What was to be bound.
    pub binding: Binding,
    /// Why it failed.
    #[source]
    pub error: BindError,
}

/// Why a socket could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("the address is in use by another process")]
    InUse,
    /// The port is privileged (below 1024 by default) and the process may not bind it.
    #[error("permission denied; ports below 1024 need the capability CAP_NET_BIND_SERVICE")]
    Permission,
    /// No interface of this machine has the address.
    #[error("no interface of this machine has the address")]
    AddressNotAvailable,
    /// Another Gateway of this process has the address.
    #[error("Gateway {0} listens there already")]
    Claimed(NamespacedName),
    /// Anything else.
    #[error(transparent)]
    Other(io::Error),
}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse,
            io::ErrorKind::PermissionDenied => Self::Permission,
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable,
            _ => Self::Other(error),
        }
    }
}

/// Binds `count` sockets to the same address. `only_v6`: whether an IPv6 wildcard leaves IPv4 alone.
pub(crate) fn bind(
    address: SocketAddr,
    transport: Transport,
    only_v6: bool,
    count: usize,
    limits: &Limits,
) -> Result<Vec<BoundSocket>, BindError> {
    let what = Bind { address, transport, only_v6 };
    what.probe()?;
    (0..count).map(|_| what.listen(limits)).collect()
}

struct Bind {
    address: SocketAddr,
    transport: Transport,
    only_v6: bool,
}

impl Bind {
    /// `SO_REUSEPORT` would let us share the port with another process of the same user, which would then
    /// take a part of our connections without a word. So try without it first.
    fn probe(&self) -> Result<(), BindError> {
        // Port 0 asks for any free port: nothing to share.
        if self.address.port() == 0 {
            return Ok(());
        }
        let socket = self.socket()?;
        socket.bind(&SockAddr::from(self.address))?;
        Ok(())
    }

    fn listen(&self, limits: &Limits) -> Result<BoundSocket, BindError> {
        let socket = self.socket()?;
        socket.set_reuse_port(true)?;
        if self.transport == Transport::Tcp {
            // Accepted connections inherit these, which saves a system call for each.
            socket.set_tcp_nodelay(true)?;
            let keepalive = TcpKeepalive::new()
                .with_time(limits.tcp_keepalive_time)
                .with_interval(limits.tcp_keepalive_interval)
                .with_retries(limits.tcp_keepalive_probes);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        socket.bind(&SockAddr::from(self.address))?;
        match self.transport {
            Transport::Tcp => {
                socket.listen(limits.accept_backlog)?;
                Ok(BoundSocket::Tcp(socket.into()))
            }
            Transport::Udp => Ok(BoundSocket::Udp(socket.into())),
        }
    }

    fn socket(&self) -> Result<Socket, BindError> {
        let (kind, protocol) = match self.transport {
            Transport::Tcp => (Type::STREAM, Protocol::TCP),
            Transport::Udp => (Type::DGRAM, Protocol::UDP),
        };
        let socket = Socket::new(Domain::for_address(self.address), kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        if self.transport == Transport::Tcp {
            // Connections in TIME_WAIT do not stand in the way of a listener that comes back.
            socket.set_reuse_address(true)?;
        }
        if self.address.is_ipv6() {
            socket.set_only_v6(self.only_v6)?;
        }
        Ok(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind_tcp(address: &str, count: usize) -> Result<Vec<BoundSocket>, BindError> {
        bind(address.parse().unwrap(), Transport::Tcp, true, count, &Limits::default())
    }

    #[test]
    fn tells_why_an_address_cannot_be_bound() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        assert!(matches!(bind_tcp(&address, 1), Err(BindError::InUse)));
        assert!(matches!(bind_tcp("192.0.2.1:0", 1), Err(BindError::AddressNotAvailable)));
    }

    #[test]
    fn does_not_share_a_port_with_another_process() {
        // What another process does that also sets SO_REUSEPORT.
        for transport in [Transport::Tcp, Transport::Udp] {
            let other = Bind { address: "127.0.0.1:0".parse().unwrap(), transport, only_v6: true };
            let other = other.listen(&Limits::default()).unwrap();
            let address = match &other {
                BoundSocket::Tcp(socket) => socket.local_addr().unwrap(),
                BoundSocket::Udp(socket) => socket.local_addr().unwrap(),
            };
            assert!(matches!(bind(address, transport, true, 2, &Limits::default()), Err(BindError::InUse)));
        }
    }

    #[test]
    fn all_workers_share_one_address() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        assert_eq!(bind_tcp(&free, 3).unwrap().len(), 3);
    }
}
