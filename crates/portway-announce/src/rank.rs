//! In which order nodes are to have an address: by rendezvous hashing (Thaler and Ravishankar, 1998), which spreads addresses
//! over nodes, and moves only those of a node that goes.

use std::net::IpAddr;

/// How much an address belongs to a node: the highest is first.
pub fn score(address: IpAddr, node: &str) -> u64 {
    let octets = match address {
        IpAddr::V4(it) => it.to_ipv6_mapped().octets(),
        IpAddr::V6(it) => it.octets(),
    };
    // FNV-1a, which is the same in every build; its high bits depend little on the last bytes, so they are mixed
    // (the end of SplitMix64).
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = node.as_bytes().iter().chain(&octets).fold(0xcbf2_9ce4_8422_2325, step);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn addresses_are_spread_over_nodes() {
        let nodes = ["node-1", "node-2", "node-3", "node-4"];
        let mut first = [0; 4];
        for host in 0..=255 {
            let address = Ipv4Addr::new(192, 0, 2, host).into();
            let best = (0..4).max_by_key(|it| score(address, nodes[*it])).unwrap();
            first[best] += 1;
        }
        assert!(first.iter().all(|it| (40..90).contains(it)), "{first:?}");
    }
}
