//! Blocks of addresses, and cutting them up such that the most specific prefix tells all.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use portway_config::network_policy::IpBlock;

/// A block of addresses without its exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    cidr: IpNet,
    except: Vec<IpNet>,
}

/// Why a block matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum BlockFault {
    /// It is not a CIDR.
    #[error("`{0}` is not a CIDR such as 192.0.2.0/24")]
    NotCidr(Arc<str>),
    /// IPv4 in the clothes of IPv6, which no packet has.
    #[error("`{0}` is IPv4 written as IPv6; write it as IPv4")]
    MappedIpv4(Arc<str>),
}

impl Block {
    /// The block that was written. One of whose exceptions cannot be read is none: to leave it out would let in what it keeps out.
    pub(crate) fn parse(written: &IpBlock) -> Result<Self, BlockFault> {
        let cidr = cidr(&written.cidr)?;
        let except = written.except.iter().map(cidr_of).collect::<Result<_, _>>()?;
        Ok(Self { cidr, except })
    }

    /// A whole network.
    pub(crate) fn of(written: &Arc<str>) -> Result<Self, BlockFault> {
        Ok(Self { cidr: cidr(written)?, except: Vec::new() })
    }

    /// Whether an address is in it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.cidr.contains(&address) && !self.except.iter().any(|it| it.contains(&address))
    }

    /// Whether the address at which a prefix begins is in it. All that no more specific edge lies in between is, then.
    pub(crate) fn holds(&self, prefix: &IpNet) -> bool {
        let within = |outer: &IpNet| outer.contains(prefix);
        within(&self.cidr) && !self.except.iter().any(within)
    }

    /// Its prefixes: beyond them nothing changes.
    pub(crate) fn edges(&self) -> impl Iterator<Item = IpNet> + '_ {
        std::iter::once(self.cidr).chain(self.except.iter().copied())
    }
}

fn cidr_of(text: &Arc<str>) -> Result<IpNet, BlockFault> {
    cidr(text)
}

/// As Kubernetes reads it: bits beyond the prefix do not count.
fn cidr(text: &Arc<str>) -> Result<IpNet, BlockFault> {
    let network = text.parse::<IpNet>().map_err(|_| BlockFault::NotCidr(text.clone()))?.trunc();
    let is_mapped =
        matches!(network, IpNet::V6(it) if it.prefix_len() >= 96 && it.network().to_ipv4_mapped().is_some());
    if is_mapped { Err(BlockFault::MappedIpv4(text.clone())) } else { Ok(network) }
}

/// All addresses of either family.
pub(crate) fn everywhere() -> [IpNet; 2] {
    let whole = |address: IpAddr| IpNet::new_assert(address, 0); // no family is shorter than 0 bits
    [whole(IpAddr::from([0; 4])), whole(IpAddr::from([0; 16]))]
}

/// The prefixes at which something changes. Of two that contain each other, the inner one is the more specific; so
/// what holds of an address is what holds of the most specific one that contains it: every other edge contains either both or
/// neither.
pub(crate) fn partition<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> BTreeSet<IpNet> {
    blocks.into_iter().flat_map(Block::edges).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(cidr: &str, except: &[&str]) -> Result<Block, BlockFault> {
        Block::parse(&IpBlock { cidr: cidr.into(), except: except.iter().map(|it| (*it).into()).collect() })
    }

    #[test]
    fn a_block_is_without_its_exceptions() {
        let it = block("10.1.0.0/16", &["10.1.2.0/24"]).unwrap();
        assert!(it.contains("10.1.3.4".parse().unwrap()) && !it.contains("10.1.2.4".parse().unwrap()));
        assert!(it.holds(&"10.1.0.0/20".parse().unwrap()) && !it.holds(&"10.1.2.128/25".parse().unwrap()));
        assert_eq!(block("10.1.2.3/16", &[]).unwrap(), block("10.1.0.0/16", &[]).unwrap());
        assert!(!block("::/0", &[]).unwrap().contains("10.1.2.3".parse().unwrap()));
    }

    #[test]
    fn what_is_no_block_is_told() {
        assert_eq!(block("10.1.0.0", &[]), Err(BlockFault::NotCidr("10.1.0.0".into())));
        assert_eq!(block("10.1.0.0/33", &[]), Err(BlockFault::NotCidr("10.1.0.0/33".into())));
        assert_eq!(block("10.1.0.0/16", &["x"]), Err(BlockFault::NotCidr("x".into())));
        let mapped = "::ffff:10.0.0.0/104";
        assert_eq!(block(mapped, &[]), Err(BlockFault::MappedIpv4(mapped.into())));
    }
}
