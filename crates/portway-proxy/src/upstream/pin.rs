//! What a session remembers of an endpoint (GEP-1619).

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use portway_config::{BackendKey, EndpointAddress};

use super::backends::Backend;

/// What a session remembers of an endpoint: a digest of the Service's port and of the endpoint's address. Every
/// worker and every replica of the proxy finds the same one, and none needs to remember it. It does not tell
/// the address; who can guess an address can confirm it, though.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin(u64);

impl Pin {
    fn new(key: &BackendKey, address: &EndpointAddress) -> Self {
        let service = &key.endpoints.service;
        // Neither names nor addresses hold a zero byte, so that no two endpoints have the same text.
        let text =
            format!("pin 1\0{}\0{}\0{}\0{address}", service.namespace, service.name, key.endpoints.port);
        let digest = digest(&SHA256, text.as_bytes());
        let first = digest.as_ref().iter().take(8);
        Self(first.fold(0, |pin, byte| pin << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// It is none.
#[derive(Debug)]
pub struct NoPin;

impl FromStr for Pin {
    type Err = NoPin;

    fn from_str(text: &str) -> Result<Self, NoPin> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten().ok_or(NoPin)
    }
}

impl Backend {
    /// The endpoint that one of the pins is for; the last of them counts.
    pub fn pinned(&self, pins: &[Pin]) -> Option<&EndpointAddress> {
        let position = |pin| self.pins().iter().position(|it| it == pin);
        pins.iter().rev().find_map(position).and_then(|position| self.endpoints.get(position))
    }

    /// The pin of the endpoint that has answered from `address`; none when the endpoint is gone.
    pub fn pin(&self, address: SocketAddr) -> Option<Pin> {
        let is_there = |it: &EndpointAddress| match it {
            EndpointAddress::Socket(it) => *it == address,
            EndpointAddress::Dns { port, .. } => *port == address.port(),
        };
        self.pins().get(self.endpoints.iter().position(is_there)?).copied()
    }

    /// In the order of the endpoints. Few backends have sessions, so that they are made when they are asked for.
    fn pins(&self) -> &[Pin] {
        self.pins.get_or_init(|| self.endpoints.iter().map(|it| Pin::new(&self.key, it)).collect())
    }
}

#[cfg(test)]
mod tests {
    use portway_config::key::BackendProtocol;
    use portway_config::{EndpointsKey, NamespacedName, Transport};

    use super::*;

    fn pin(service: &str, address: &str) -> String {
        let service = NamespacedName::new("shop", service);
        let endpoints = EndpointsKey { service, port: 80, transport: Transport::Tcp };
        let key = BackendKey { endpoints, protocol: BackendProtocol::Http1 };
        Pin::new(&key, &EndpointAddress::Socket(address.parse().unwrap())).to_string()
    }

    #[test]
    fn a_pin_is_the_same_for_ever_and_differs_by_service_and_endpoint() {
        // Cookies outlive an upgrade: a change of this value ends every session.
        assert_eq!(pin("store", "10.0.0.1:8080"), "75003706b5bf1cc3");
        assert_ne!(pin("store", "10.0.0.1:8080"), pin("store", "10.0.0.2:8080"));
        assert_ne!(pin("store", "10.0.0.1:8080"), pin("store-next", "10.0.0.1:8080"));
    }

    #[test]
    fn only_what_was_written_is_read() {
        let text = pin("store", "10.0.0.1:8080");
        assert_eq!(text.parse::<Pin>().unwrap().to_string(), text);
        for wrong in ["", "1", "+000000000000001", "00000000000000000", "000000000000000g"] {
            assert!(wrong.parse::<Pin>().is_err(), "{wrong}");
        }
    }
}
