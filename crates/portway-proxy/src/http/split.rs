//! Splitting requests by weight: exact over each period, close to it in between, without chance.

use std::sync::atomic::{AtomicU64, Ordering};

/// Deals turns to parts in proportion to their weights.
///
/// With weights reduced to their lowest terms and summing up to W, any W turns in a row are dealt
/// exactly. Turn n lands at place `n * step mod W`; `step` shares no factor with W, so that each place
/// comes once in W turns, and `step / W` is far from all simple fractions, which spreads any few turns in a
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
        let is_shared = ends.len() > 1;
        let step = if is_shared { even_step(ends.last().copied().unwrap_or(0)) } else { 1 };
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

/// How far from the golden ratio a step is looked for.
const STEPS: u64 = 32;

/// Steps as even as this one are not improved upon.
const EVEN_ENOUGH: u64 = 3;

/// The step near the golden ratio that spreads turns most evenly. Nearness alone is not enough: 37 of 56 is next to 2/3,
/// so that every third turn falls beside the one three before it, and a part of the places is passed over for long.
fn even_step(sum: u64) -> u64 {
    let golden = ((sum as f64 * 0.618_033_988_749_895) as u64).max(1);
    let mut best = (u64::MAX, 1);
    for distance in 0..=STEPS {
        for step in [golden.saturating_sub(distance), golden.saturating_add(distance)] {
            let is_possible = (1..=sum).contains(&step) && greatest_common_divisor(step, sum) == 1;
            if is_possible && largest_quotient(step, sum) < best.0 {
                best = (largest_quotient(step, sum), step);
            }
        }
        if best.0 <= EVEN_ENOUGH {
            break;
        }
    }
    best.1
}

/// The largest partial quotient of a fraction: the smaller, the further it is from simpler fractions.
fn largest_quotient(numerator: u64, denominator: u64) -> u64 {
    let (mut a, mut b, mut largest) = (numerator, denominator, 0);
    while let Some(quotient) = b.checked_div(a) {
        largest = largest.max(quotient);
        (a, b) = (b % a, a);
    }
    largest
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests;
