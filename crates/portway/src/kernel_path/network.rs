//! A network, as an option names it.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    /// How many bits.
    prefix: u8,
}

impl Network {
    /// Its address, and how many bits count where IPv4 is written as `::ffff:a.b.c.d`.
    pub(crate) fn mapped(self) -> (IpAddr, u32) {
        let before = if self.address.is_ipv4() { 96 } else { 0 };
        (self.address, before + u32::from(self.prefix))
    }

    pub(crate) fn contains(self, address: IpAddr) -> bool {
        let (ours, theirs, width) = match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (u128::from(ours.to_bits()), theirs.to_bits().into(), 32)
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits(), theirs.to_bits(), 128),
            _ => return false,
        };
        // Of 128 bits none are compared where the prefix is empty.
        let rest = width - u32::from(self.prefix);
        (ours ^ theirs).checked_shr(rest).unwrap_or_default() == 0
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "it needs a network, as in 10.244.0.0/16 or fd00:10::/64".to_owned();
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, it)| (address, Some(it)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(width), |it| it.parse().map_err(|_| wrong()))?;
        if prefix > width { Err(wrong()) } else { Ok(Self { address, prefix }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_with_its_prefix() {
        for (network, address, is_in) in [
            ("10.244.0.0/16", "10.244.255.1", true),
            ("10.244.0.0/16", "10.245.0.1", false),
            ("10.244.0.1", "10.244.0.1", true),
            ("10.244.0.1", "10.244.0.2", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("fd00:10::/64", "fd00:10::ffff", true),
            ("fd00:10::/64", "fd00:10:0:1::", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), is_in, "{network:?} {address}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/x", "ten", "10.0.0.0/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
