//! What nodes tell each other.
//!
//! All numbers are in network byte order:
//!
//! | bytes | |
//! | --- | --- |
//! | 4 | `PWAN` |
//! | 1 | version: 1 |
//! | 1 | 1: the sender takes addresses; 0: it would rather not |
//! | 1, and as many | the node's name |
//! | 2 | number of claims |
//! | 21 each | address (IPv4 as `::ffff:a.b.c.d`), term, 1 if it is offered to others |

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::limits::CLAIMS;

const MAGIC: [u8; 4] = *b"PWAN";
const VERSION: u8 = 1;

/// A node says that it is there, and what it announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The sender's name.
    pub node: Arc<str>,
    /// Whether it should have addresses: its Kubernetes node is ready and is not being drained.
    pub is_eligible: bool,
    /// What it announces, or a part of it.
    pub claims: Vec<Claim>,
}

/// A node announces an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// How often the address has changed hands: of two nodes that claim it, the one with the higher term has it.
    pub term: u32,
    /// Whether the others may take it at once.
    pub is_offered: bool,
}

/// A datagram that is no heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeartbeatError {
    /// It is something else.
    #[error("it is no heartbeat of an agent")]
    Foreign,
    /// Of another version of Portway.
    #[error("it is of version {0} of the heartbeats, which is not known here")]
    Version(u8),
    /// It ends too early, or goes on too long.
    #[error("it is cut short or too long")]
    Length,
    /// The name is not UTF-8.
    #[error("the node's name is not UTF-8")]
    Name,
}

impl Heartbeat {
    /// As datagrams: one, or several where there are more claims than one has room for. None of them has more than 1,200 bytes.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let parts = self.claims.chunks(CLAIMS);
        if self.claims.is_empty() { vec![self.part(&[])] } else { parts.map(|it| self.part(it)).collect() }
    }

    fn part(&self, claims: &[Claim]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        // Names of nodes are DNS names, which are shorter.
        let name = self.node.as_bytes().get(..255).unwrap_or(self.node.as_bytes());
        bytes.extend([VERSION, u8::from(self.is_eligible), name.len() as u8]);
        bytes.extend(name);
        // As many as CLAIMS at most.
        bytes.extend((claims.len() as u16).to_be_bytes());
        for claim in claims {
            let address = match claim.address {
                IpAddr::V4(it) => it.to_ipv6_mapped(),
                IpAddr::V6(it) => it,
            };
            bytes.extend(address.octets());
            bytes.extend(claim.term.to_be_bytes());
            bytes.push(u8::from(claim.is_offered));
        }
        bytes
    }

    /// Reads a datagram.
    ///
    /// # Errors
    ///
    /// It is no heartbeat.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeartbeatError> {
        let bytes = bytes.strip_prefix(&MAGIC).ok_or(HeartbeatError::Foreign)?;
        let (&[version, is_eligible, length], bytes) =
            bytes.split_first_chunk().ok_or(HeartbeatError::Length)?;
        if version != VERSION {
            return Err(HeartbeatError::Version(version));
        }
        let (name, bytes) = bytes.split_at_checked(length.into()).ok_or(HeartbeatError::Length)?;
        let node = std::str::from_utf8(name).map_err(|_| HeartbeatError::Name)?.into();
        let (count, mut bytes) = bytes.split_first_chunk().ok_or(HeartbeatError::Length)?;
        let mut claims = Vec::new();
        for _ in 0..u16::from_be_bytes(*count) {
            let (claim, rest) = Claim::decode(bytes).ok_or(HeartbeatError::Length)?;
            claims.push(claim);
            bytes = rest;
        }
        if !bytes.is_empty() {
            return Err(HeartbeatError::Length);
        }
        Ok(Self { node, is_eligible: is_eligible == 1, claims })
    }
}

impl Claim {
    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (address, bytes) = bytes.split_first_chunk::<16>()?;
        let (term, bytes) = bytes.split_first_chunk()?;
        let (is_offered, bytes) = bytes.split_first()?;
        let address = IpAddr::V6(Ipv6Addr::from(*address)).to_canonical();
        Some((Self { address, term: u32::from_be_bytes(*term), is_offered: *is_offered == 1 }, bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim() -> impl Strategy<Value = Claim> {
        (any::<IpAddr>(), any::<u32>(), any::<bool>()).prop_map(|(address, term, is_offered)| Claim {
            address: address.to_canonical(),
            term,
            is_offered,
        })
    }

    proptest! {
        #[test]
        fn what_is_told_is_heard(
            node in "[a-z0-9.-]{0,253}",
            is_eligible: bool,
            claims in prop::collection::vec(claim(), 0..100),
        ) {
            let told = Heartbeat { node: node.into(), is_eligible, claims };
            let datagrams = told.encode();
            prop_assert!(datagrams.iter().all(|it| it.len() <= 1200));
            let heard: Vec<_> = datagrams.iter().map(|it| Heartbeat::decode(it).unwrap()).collect();
            prop_assert!(heard.iter().all(|it| it.node == told.node && it.is_eligible == is_eligible));
            let claims: Vec<_> = heard.into_iter().flat_map(|it| it.claims).collect();
            prop_assert_eq!(claims, told.claims);
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), is_ours: bool) {
            if is_ours {
                bytes.splice(0..0, *b"PWAN\x01");
            }
            if let Ok(heard) = Heartbeat::decode(&bytes) {
                prop_assert!(heard.claims.len() * 21 <= bytes.len());
            }
        }
    }

    #[test]
    fn every_cut_is_refused() {
        let claim = Claim { address: "192.0.2.1".parse().unwrap(), term: 7, is_offered: true };
        let heartbeat = Heartbeat { node: "node-1".into(), is_eligible: true, claims: vec![claim] };
        let whole = heartbeat.encode().remove(0);
        for end in 0..whole.len() {
            assert!(Heartbeat::decode(&whole[..end]).is_err(), "{end} bytes");
        }
        assert_eq!(Heartbeat::decode(&[&whole[..], &[0]].concat()), Err(HeartbeatError::Length));
        assert_eq!(Heartbeat::decode(b"PWAN\x02\0\0\0\0"), Err(HeartbeatError::Version(2)));
        assert_eq!(Heartbeat::decode(b"GET / HTTP/1.0"), Err(HeartbeatError::Foreign));
    }
}
