//! Maglev tables: consistent hashing with weights.
//!
//! Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), section 3.4. Every member
//! has a permutation of the slots of its own, and they take turns at claiming the next free one; a member with half of
//! the largest weight has a turn every second round. A table is a function of its members alone: every node makes the
//! same one.

/// Who may get slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What stands in its slots.
    pub value: u32,
    /// What its permutation follows from: the same on every node.
    pub key: u64,
    /// Its share, relative to the sum. Zero gets none.
    pub weight: u64,
}

/// Fills a table of `slots`, a prime, in which each member has its share. Without a member it is all `empty`.
pub fn table(members: &[Member], slots: usize, empty: u32) -> Vec<u32> {
    let mut turns: Vec<_> =
        members.iter().filter(|it| it.weight > 0).map(|it| Turns::new(it, slots)).collect();
    // Who comes first in a round gets the slot that two want.
    turns.sort_by_key(|it| it.key);
    let largest = turns.iter().map(|it| it.weight).max().unwrap_or_default();
    let mut table = vec![None; slots];
    let mut free = if turns.is_empty() { 0 } else { slots };
    while free > 0 {
        for member in &mut turns {
            if !member.has_turn(largest) || free == 0 {
                continue;
            }
            free -= 1;
            member.claim(&mut table);
        }
    }
    table.into_iter().map(|it| it.unwrap_or(empty)).collect()
}

/// A member, and how far it has come.
struct Turns {
    value: u32,
    key: u64,
    weight: u64,
    /// Weight that it has gathered since its last turn.
    credit: u64,
    next: usize,
    skip: usize,
}

impl Turns {
    fn new(member: &Member, slots: usize) -> Self {
        let &Member { value, key, weight } = member;
        let below = |hash: u64, bound: usize| usize::try_from(hash % bound.max(1) as u64).unwrap_or_default();
        let next = below(mix(key ^ 0x9e37_79b9_7f4a_7c15), slots);
        let skip = below(mix(key ^ 0xd1b5_4a32_d192_ed03), slots.saturating_sub(1)) + 1;
        Self { value, key, weight, credit: 0, next, skip }
    }

    /// Whether it has a turn in this round. The largest has one in each.
    fn has_turn(&mut self, largest: u64) -> bool {
        self.credit = self.credit.saturating_add(self.weight);
        let has = self.credit >= largest;
        if has {
            self.credit -= largest;
        }
        has
    }

    /// Takes the next free slot of its permutation; there must be one.
    fn claim(&mut self, table: &mut [Option<u32>]) {
        let slots = table.len();
        while let Some(slot) = table.get_mut(self.next) {
            self.next = (self.next + self.skip) % slots;
            if slot.is_none() {
                *slot = Some(self.value);
                return;
            }
        }
    }
}

/// Spreads a key over all bits (the finalizer of splitmix64).
pub fn mix(key: u64) -> u64 {
    let key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layout::MAGLEV_SLOTS;

    fn members(weights: &[u64], seed: u64) -> Vec<Member> {
        let member = |(index, weight): (usize, &u64)| Member {
            value: u32::try_from(index).unwrap() + 1,
            key: mix(seed.wrapping_add(index as u64)),
            weight: *weight,
        };
        weights.iter().enumerate().map(member).collect()
    }

    fn slots_of(table: &[u32], member: &Member) -> usize {
        table.iter().filter(|it| **it == member.value).count()
    }

    #[test]
    fn without_members_it_is_empty() {
        assert!(table(&[], 7, 0).iter().all(|it| *it == 0));
        assert!(table(&members(&[0, 0], 1), 7, 9).iter().all(|it| *it == 9));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Within 1 % of its share, and the two slots by which a last round may be unfair.
        #[test]
        fn weights_are_kept(weights in prop::collection::vec(1_u64..1000, 1..60), seed in any::<u64>()) {
            let members = members(&weights, seed);
            let table = table(&members, MAGLEV_SLOTS, 0);
            let sum: u64 = weights.iter().sum();
            for member in &members {
                let share = MAGLEV_SLOTS as f64 * member.weight as f64 / sum as f64;
                let has = slots_of(&table, member) as f64;
                prop_assert!((has - share).abs() <= share * 0.01 + 2.0, "{has} slots for a share of {share}");
            }
        }

        #[test]
        fn the_order_of_members_does_not_matter(seed in any::<u64>()) {
            let mut members = members(&[1, 2, 3, 4, 5], seed);
            let before = table(&members, MAGLEV_SLOTS, 0);
            members.reverse();
            prop_assert_eq!(before, table(&members, MAGLEV_SLOTS, 0));
        }

        /// Of the slots of the nine that stay, fewer than 2 % go to another of them.
        #[test]
        fn one_of_ten_that_leaves_moves_few_others(seed in any::<u64>(), leaves in 0_usize..10) {
            let mut members = members(&[1; 10], seed);
            let before = table(&members, MAGLEV_SLOTS, 0);
            let gone = members.remove(leaves);
            let after = table(&members, MAGLEV_SLOTS, 0);
            let moved = before.iter().zip(&after).filter(|(old, new)| **old != gone.value && old != new).count();
            prop_assert!((moved as f64) < MAGLEV_SLOTS as f64 * 0.02, "{moved} slots moved");
        }
    }
}
