//! Servers that send back what they get, and tell who it came from; clients that compare it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::host::Host;

/// For anything to happen that must happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// For something to happen that must not.
pub(crate) const IMPATIENCE: Duration = Duration::from_millis(500);

/// Answers each connection with a line that names itself and its client, then with what the client sends.
pub(crate) fn serve_tcp(host: &Host, address: SocketAddr) {
    let listener = host.run(move || TcpListener::bind(address).unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            thread::spawn(move || {
                let client = connection.peer_addr().unwrap();
                // A client that has gone is the client's affair.
                let _ = connection.write_all(format!("{address} {client}\n").as_bytes());
                let mut echo = connection.try_clone().unwrap();
                let _ = std::io::copy(&mut connection, &mut echo);
                let _ = echo.shutdown(Shutdown::Write);
            });
        }
    });
}

/// Answers each datagram with one that names itself and its client, followed by the datagram.
pub(crate) fn serve_udp(host: &Host, address: SocketAddr) {
    let socket = host.run(move || UdpSocket::bind(address).unwrap());
    thread::spawn(move || {
        let mut datagram = vec![0; 65_536];
        while let Ok((length, client)) = socket.recv_from(&mut datagram) {
            let answer = [format!("{address} {client}\n").as_bytes(), &datagram[..length]].concat();
            let _ = socket.send_to(&answer, client);
        }
    });
}

/// What the server told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) server: SocketAddr,
    pub(crate) client: SocketAddr,
}

fn told(line: &[u8]) -> Told {
    let line = std::str::from_utf8(line).unwrap();
    let (server, client) = line.split_once(' ').unwrap();
    Told { server: server.parse().unwrap(), client: client.parse().unwrap() }
}

/// Bytes of which no two stretches are alike.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|it| ((it * 31) >> 3) as u8).collect()
}

/// A connection whose server has said who it is.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) told: Told,
}

impl Connection {
    /// Why a connection is not to be had.
    pub(crate) fn refusal(host: &Host, address: &str) -> ErrorKind {
        let address: SocketAddr = address.parse().unwrap();
        host.run(move || TcpStream::connect_timeout(&address, PATIENCE)).unwrap_err().kind()
    }

    pub(crate) fn open(host: &Host, address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let stream = host.run(move || TcpStream::connect_timeout(&address, PATIENCE));
        let mut stream = stream.unwrap_or_else(|error| panic!("{address}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut line = vec![];
        let mut byte = [0];
        loop {
            stream.read_exact(&mut byte).unwrap();
            if byte == *b"\n" {
                break;
            }
            line.extend(byte);
        }
        Self { stream, told: told(&line) }
    }

    /// Sends `length` bytes and compares what comes back.
    pub(crate) fn exchange(&mut self, length: usize) {
        let sent = content(length);
        let mut writer = self.stream.try_clone().unwrap();
        let to_send = sent.clone();
        let sending = thread::spawn(move || writer.write_all(&to_send));
        let mut came = vec![0; length];
        self.stream.read_exact(&mut came).unwrap();
        sending.join().unwrap().unwrap();
        assert!(came == sent, "what came back is not what was sent");
    }

    /// Whether an answer comes within `patience`.
    pub(crate) fn answers(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        self.stream.write_all(b"?").is_ok() && self.stream.read_exact(&mut [0]).is_ok()
    }

    /// Ends it in both directions.
    pub(crate) fn close(mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(self.stream.read_to_end(&mut vec![]).unwrap(), 0);
    }
}

/// A socket that may send to one address alone.
pub(crate) struct Datagrams {
    socket: UdpSocket,
    pub(crate) address: SocketAddr,
}

impl Datagrams {
    pub(crate) fn open(host: &Host, address: &str) -> Self {
        let to: SocketAddr = address.parse().unwrap();
        let socket = host.run(move || {
            let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any).unwrap();
            socket.connect(to).unwrap();
            socket
        });
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    /// Sends a datagram of `length` bytes, and compares what comes back.
    pub(crate) fn exchange(&self, length: usize) -> Told {
        let sent = content(length);
        self.socket.send(&sent).unwrap();
        let mut came = vec![0; 65_536];
        let length = self.socket.recv(&mut came).unwrap();
        let line = came.iter().position(|it| *it == b'\n').unwrap();
        assert!(came[line + 1..length] == sent, "what came back is not what was sent");
        told(&came[..line])
    }

    /// Whether an answer comes within `patience`.
    pub(crate) fn answers(&self, patience: Duration) -> bool {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let is_answered = self.socket.send(b"?").is_ok() && self.socket.recv(&mut [0; 128]).is_ok();
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        is_answered
    }

    /// Sends until an error comes back.
    pub(crate) fn error(&self) -> std::io::Error {
        self.socket.send(b"?").unwrap();
        self.socket.recv(&mut [0; 16]).unwrap_err()
    }
}
