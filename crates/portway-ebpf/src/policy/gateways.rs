//! Which number each Gateway has in the tag of a packet (`bpf/tag.h`).
//!
//! The balancing programs tag what they forward with it, and network policy asks who the proxies of the Gateway are. The two share no
//! map; this is what they agree by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_config::NamespacedName;

/// The highest number: the tag has room for 14 bits.
const LAST: u32 = 0x3fff;
/// How many Gateways are numbered before those that are gone are forgotten. Until then each gets its number back.
const KEPT: usize = 8192;

/// Numbers of Gateways, for all who need them. Cheap to clone. Numbers are given in turn, so that one is not used a second time
/// before all others have been: flows of its former Gateway have ended by then.
#[derive(Clone, Debug, Default)]
pub struct GatewayNumbers(Arc<Mutex<Numbers>>);

#[derive(Debug, Default)]
struct Numbers {
    by_name: BTreeMap<NamespacedName, u32>,
    used: BTreeSet<u32>,
    last: u32,
}

impl GatewayNumbers {
    /// The number of a Gateway, from 1 on. Zero: there are more of them than numbers.
    pub fn of(&self, gateway: &NamespacedName) -> u32 {
        let mut numbers = self.lock();
        if let Some(number) = numbers.by_name.get(gateway) {
            return *number;
        }
        let last = numbers.last;
        let in_turn = (last.saturating_add(1)..=LAST).chain(1..=last.min(LAST));
        let Some(number) = in_turn.into_iter().find(|it| !numbers.used.contains(it)) else {
            return 0;
        };
        numbers.last = number;
        numbers.used.insert(number);
        numbers.by_name.insert(gateway.clone(), number);
        number
    }

    /// Whose number it is.
    pub fn named(&self, number: u32) -> Option<NamespacedName> {
        let numbers = self.lock();
        numbers.by_name.iter().find(|(_, it)| **it == number).map(|(name, _)| name.clone())
    }

    /// The number that was given last.
    pub fn last(&self) -> u32 {
        self.lock().last
    }

    /// Goes on from the numbers that a process before this one has given, as far as nobody has another since.
    pub fn resume(&self, given: impl IntoIterator<Item = (u32, NamespacedName)>, last: u32) {
        let mut numbers = self.lock();
        for (number, name) in given {
            if !numbers.by_name.contains_key(&name) && numbers.used.insert(number) {
                numbers.by_name.insert(name, number);
            }
        }
        numbers.last = numbers.last.max(last);
    }

    /// Forgets Gateways beyond these, once there are many.
    pub fn keep<'a>(&self, gateways: impl IntoIterator<Item = &'a NamespacedName>) {
        let mut numbers = self.lock();
        if numbers.by_name.len() <= KEPT {
            return;
        }
        let kept: BTreeSet<_> = gateways.into_iter().collect();
        numbers.by_name.retain(|name, _| kept.contains(name));
        numbers.used = numbers.by_name.values().copied().collect();
    }

    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> NamespacedName {
        NamespacedName::new("edge", number.to_string())
    }

    #[test]
    fn a_gateway_keeps_its_number() {
        let numbers = GatewayNumbers::default();
        assert_eq!([numbers.of(&name(1)), numbers.of(&name(2)), numbers.of(&name(1))], [1, 2, 1]);
        assert_eq!((numbers.named(2), numbers.named(3), numbers.last()), (Some(name(2)), None, 2));
        let next = GatewayNumbers::default();
        next.resume([(2, name(2))], 7);
        assert_eq!([next.of(&name(2)), next.of(&name(1))], [2, 8], "7 may still be that of flows");
    }

    #[test]
    fn what_was_given_since_counts_more_than_what_was_given_before() {
        let numbers = GatewayNumbers::default();
        numbers.of(&name(1));
        numbers.resume([(1, name(9)), (4, name(1))], 4);
        assert_eq!((numbers.of(&name(1)), numbers.named(1)), (1, Some(name(1))));
        assert_eq!(numbers.of(&name(9)), 5);
    }

    #[test]
    fn numbers_are_used_again_only_after_all_others() {
        let numbers = GatewayNumbers::default();
        let all: Vec<u32> = (1..=LAST).map(|it| numbers.of(&name(it))).collect();
        assert_eq!(all, (1..=LAST).collect::<Vec<_>>());
        assert_eq!(numbers.of(&name(0)), 0, "there is none left");
        numbers.keep(&[name(1), name(3)]);
        assert_eq!([numbers.of(&name(3)), numbers.of(&name(20_000)), numbers.of(&name(20_001))], [3, 2, 4]);
    }
}
