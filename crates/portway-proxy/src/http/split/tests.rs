use proptest::prelude::*;

use super::*;

fn deal(split: &Split, turns: u64, parts: usize) -> Vec<u64> {
    let mut counts = vec![0; parts];
    (0..turns).for_each(|_| counts[split.next().unwrap()] += 1);
    counts
}

#[test]
fn ten_requests_at_seventy_to_thirty_are_seven_and_three() {
    for first in 0..50 {
        assert_eq!(deal(&Split::new([70, 30].into_iter(), first), 10, 2), [7, 3]);
    }
}

#[test]
fn one_in_a_thousand_is_one_in_a_thousand() {
    assert_eq!(deal(&Split::new([1, 999].into_iter(), 12345), 1000, 2), [1, 999]);
}

#[test]
fn zero_weights_get_nothing() {
    assert_eq!(deal(&Split::new([0, 5, 0, 5, 0].into_iter(), 7), 100, 5), [0, 50, 0, 50, 0]);
    assert_eq!(Split::new([0, 0].into_iter(), 0).next(), None);
    assert_eq!(Split::new([0].into_iter(), 0).next(), None);
    assert_eq!(Split::new(std::iter::empty(), 0).next(), None);
}

#[test]
fn the_largest_weights_do_not_overflow() {
    let split = Split::new([u32::MAX, u32::MAX - 1].into_iter(), u64::MAX);
    let counts = deal(&split, 10_000, 2);
    assert!(counts[0].abs_diff(counts[1]) < 20, "{counts:?}");
}

/// Near the golden ratio lies a step that would leave the first part out for 21 turns.
#[test]
fn a_few_turns_are_spread_evenly() {
    for first in 0..112 {
        let dealt = deal(&Split::new([11, 5, 11, 29].into_iter(), first), 21, 4);
        for (count, expected) in dealt.iter().zip([4.1, 1.9, 4.1, 10.9]) {
            assert!((*count as f64 - expected).abs() < 3.0, "{dealt:?}");
        }
    }
}

proptest! {
    #[test]
    fn every_period_is_exact_and_every_stretch_is_close(
        weights in prop::collection::vec(0u32..40, 1..6),
        first in any::<u64>(),
        turns in 1u64..60,
    ) {
        let sum: u64 = weights.iter().copied().map(u64::from).sum();
        prop_assume!(sum > 0);
        let split = Split::new(weights.iter().copied(), first);
        deal(&split, first % 7, weights.len());
        let period = deal(&split, sum, weights.len());
        prop_assert_eq!(&period, &weights.iter().copied().map(u64::from).collect::<Vec<_>>());
        let stretch = deal(&split, turns, weights.len());
        for (count, weight) in stretch.iter().zip(&weights) {
            let expected = turns as f64 * f64::from(*weight) / sum as f64;
            prop_assert!((*count as f64 - expected).abs() < 4.0, "{stretch:?} of {weights:?}");
        }
    }
}
