//! Ranges of ports as entries of a longest-prefix map.

/// Some of the leading bits of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortPrefix {
    /// The port, with zeros after those bits. In the machine's byte order: a map wants it in network byte order.
    pub port: u16,
    /// How many bits count, up to 16.
    pub length: u8,
}

/// The fewest prefixes that cover the ports from `first` to `last` and no other, in order: 30 at most. None if `last` is
/// before `first`.
pub fn prefixes(first: u16, last: u16) -> Vec<PortPrefix> {
    let mut found = Vec::new();
    let (mut next, end) = (u32::from(first), u32::from(last) + 1);
    while next < end {
        // As large as its alignment and what is left allow. 16 bits at most, so that the conversions lose nothing.
        let aligned = next.trailing_zeros().min(16);
        let fitting = (end - next).ilog2();
        let free = aligned.min(fitting);
        found.push(PortPrefix { port: next as u16, length: 16 - free as u8 });
        next += 1 << free;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(prefix: PortPrefix, port: u16) -> bool {
        let free = 16 - u32::from(prefix.length);
        u32::from(prefix.port) >> free == u32::from(port) >> free
    }

    #[test]
    fn known_ranges() {
        let of =
            |first, last| prefixes(first, last).iter().map(|it| (it.port, it.length)).collect::<Vec<_>>();
        assert_eq!(of(0, 65535), [(0, 0)]);
        assert_eq!(of(80, 80), [(80, 16)]);
        assert_eq!(of(80, 83), [(80, 14)]);
        assert_eq!(of(65535, 65535), [(65535, 16)]);
        assert_eq!(of(2, 1), []);
        assert_eq!(of(1, 65534).len(), 30, "the worst case");
    }

    proptest! {
        #[test]
        fn each_port_of_a_range_is_covered_once_and_no_other(first: u16, last: u16, port: u16) {
            let found = prefixes(first, last);
            prop_assert!(found.len() <= 30);
            for port in [port, first, last, first.wrapping_sub(1), last.wrapping_add(1)] {
                let covering = found.iter().filter(|it| covers(**it, port)).count();
                prop_assert_eq!(covering, usize::from((first..=last).contains(&port)));
            }
        }
    }
}
