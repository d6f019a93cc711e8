//! Randomness for request ids, jitter and first turns: fast, one state for each thread, and nothing
//! that secrets may hang on.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

thread_local! {
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one("portway"));
}

/// 64 random bits (SplitMix64).
pub(crate) fn next_u64() -> u64 {
    let state = STATE.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn values_do_not_repeat() {
        let values: HashSet<u64> = (0..10_000).map(|_| super::next_u64()).collect();
        assert_eq!(values.len(), 10_000);
    }
}
