//! Splitting requests by weight: exact over each period, close to it in between, without chance.

use std::sync::atomic::{AtomicU64, Ordering};

/// Deals turns to parts in proportion to their weights.
///
/// With weights reduced to their lowest terms and summing up to W, any W turns in a row are dealt
/// exactly. Turn n lands at place `n * step mod W`; `step` shares no factor with W, so that each place
/// comes once in W turns, and is near W divided by the golden ratio, which spreads any few turns in a
/// row evenly. The first turn is random, so that many proxies do not begin alike.
#[derive(Debug)]
pub(super) struct Split {
    /// For each part the end of its places.
    ends: Vec<u64>,
    step: u64,
    turn: AtomicU64,
}

impl Split {
    /// Weights of zero get no turn.
    pub(super) fn new(weights: impl Iterator<Item = u32>, first_turn: u64) -> Self {
        let weights: Vec<u64> = weights.map(u64::from).collect();
        let divisor = weights.iter().copied().fold(0, greatest_common_divisor).max(1);
        let ends: Vec<u64> = weights
            .iter()
            .scan(0, |sum, weight| {
                *sum += weight / divisor;
                Some(*sum)
            })
            .collect();
        let step = golden_step(ends.last().copied().unwrap_or(0));
        Self { ends, step, turn: AtomicU64::new(first_turn >> 1) }
    }

    /// The part whose turn it is; none when all weights are zero.
    pub(super) fn next(&self) -> Option<usize> {
        let sum = *self.ends.last()?;
        if sum == 0 {
            return None;
        }
        // One part with all the weight needs no turns, and so shares nothing between workers.
        if self.ends.len() == 1 {
            return Some(0);
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % sum;
        // At most 2^32 parts' weights of 2^32 are far from what a route can hold; u128 takes them all.
        let place = (u128::from(turn) * u128::from(self.step) % u128::from(sum)) as u64;
        Some(self.ends.partition_point(|&end| end <= place))
    }
}

fn golden_step(sum: u64) -> u64 {
    let golden = (sum as f64 * 0.618_033_988_749_895) as u64;
    (golden.max(1)..=sum).find(|&step| greatest_common_divisor(step, sum) == 1).unwrap_or(1)
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
