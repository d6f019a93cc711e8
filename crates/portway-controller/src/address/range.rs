//! Ranges of addresses, as an AddressPool writes them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses from a first to a last one, of one IP family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    is_ipv4: bool,
    first: u128,
    last: u128,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It is neither of the three forms.
    #[error("`{0}` is neither a CIDR (192.0.2.0/24) nor a range (192.0.2.10-192.0.2.20) nor an address")]
    Form(String),
    /// The last address is before the first, or of the other family.
    #[error("`{0}` ends before it begins")]
    Order(String),
    /// Bits are set beyond the prefix.
    #[error("`{text}` has bits set beyond its prefix; write `{meant}`")]
    HostBits {
        /// As it is written.
        text: String,
        /// The same without those bits.
        meant: String,
    },
}

impl AddressRange {
    /// Whether the address is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4 && (self.first..=self.last).contains(&number(address))
    }

    /// All of them in order. There may be very many: an IPv6 prefix has more than anyone can count.
    pub fn addresses(self) -> impl Iterator<Item = IpAddr> {
        (self.first..=self.last).map(move |it| address(self.is_ipv4, it))
    }

    /// A CIDR. Its first and last addresses are not those of hosts: IPv4's network and broadcast (RFC 1122), IPv6's anycast
    /// address of routers (RFC 4291, section 2.6.1).
    fn cidr(text: &str, start: IpAddr, length: u32) -> Result<Self, RangeError> {
        let is_ipv4 = start.is_ipv4();
        let width = if is_ipv4 { 32 } else { 128 };
        if length > width {
            return Err(RangeError::Form(text.to_owned()));
        }
        // A shift by the whole width is none.
        let hosts = 1u128.checked_shl(width - length).map_or(u128::MAX, |it| it - 1);
        let first = number(start);
        if first & hosts != 0 {
            let meant = format!("{}/{length}", address(is_ipv4, first & !hosts));
            return Err(RangeError::HostBits { text: text.to_owned(), meant });
        }
        let reserved_last = u128::from(is_ipv4 && hosts > 1);
        let reserved_first = u128::from(hosts > 1);
        Ok(Self { is_ipv4, first: first + reserved_first, last: (first | hosts) - reserved_last })
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let form = || RangeError::Form(text.to_owned());
        let ip = |text: &str| text.trim().parse::<IpAddr>().map_err(|_| form());
        if let Some((start, length)) = text.split_once('/') {
            return Self::cidr(text, ip(start)?, length.trim().parse().map_err(|_| form())?);
        }
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (ip(first)?, ip(last)?),
            None => (ip(text)?, ip(text)?),
        };
        if first.is_ipv4() != last.is_ipv4() || number(last) < number(first) {
            return Err(RangeError::Order(text.to_owned()));
        }
        Ok(Self { is_ipv4: first.is_ipv4(), first: number(first), last: number(last) })
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", address(self.is_ipv4, self.first), address(self.is_ipv4, self.last))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(it) => it.to_bits().into(),
        IpAddr::V6(it) => it.to_bits(),
    }
}

fn address(is_ipv4: bool, number: u128) -> IpAddr {
    // An IPv4 number fits: it comes from an address, or lies between two.
    if is_ipv4 { Ipv4Addr::from_bits(number as u32).into() } else { Ipv6Addr::from_bits(number).into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<AddressRange>().map_or_else(|error| error.to_string(), |it| it.to_string())
    }

    #[test]
    fn reads_the_three_forms() {
        for (text, expected) in [
            ("192.0.2.0/24", "192.0.2.1-192.0.2.254"),
            ("192.0.2.4/31", "192.0.2.4-192.0.2.5"),
            ("192.0.2.4/32", "192.0.2.4-192.0.2.4"),
            ("0.0.0.0/0", "0.0.0.1-255.255.255.254"),
            ("2001:db8::/120", "2001:db8::1-2001:db8::ff"),
            ("::/0", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("192.0.2.10 - 192.0.2.20", "192.0.2.10-192.0.2.20"),
            ("192.0.2.7", "192.0.2.7-192.0.2.7"),
            ("192.0.2.20-192.0.2.10", "`192.0.2.20-192.0.2.10` ends before it begins"),
            ("192.0.2.1-::2", "`192.0.2.1-::2` ends before it begins"),
            ("192.0.2.7/24", "`192.0.2.7/24` has bits set beyond its prefix; write `192.0.2.0/24`"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        for text in ["", "/24", "192.0.2.0/33", "::/129", "192.0.2.0/x", "a-b", "192.0.2.0/-1"] {
            assert!(shown(text).contains("is neither"), "{text}: {}", shown(text));
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9a-f:./ -]{0,30}") {
            let _ = text.parse::<AddressRange>();
        }

        #[test]
        fn contains_what_it_yields(start: u32, length in 0u32..=32) {
            let start = Ipv4Addr::from_bits(start & u32::MAX.checked_shl(32 - length).unwrap_or(0));
            let range: AddressRange = format!("{start}/{length}").parse().map_err(|error| TestCaseError::fail(format!("{error}")))?;
            for address in range.addresses().take(300) {
                prop_assert!(range.contains(address));
            }
        }
    }
}
