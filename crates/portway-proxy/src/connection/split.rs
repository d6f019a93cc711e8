//! Splitting connections among backends by weight.

use std::sync::{Mutex, MutexGuard, PoisonError};

use portway_config::route::{BackendTarget, FaultReason, WeightedBackend};

use crate::upstream::{BackendId, Backends};

/// Where one connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To a backend.
    Backend(BackendId),
    /// Nowhere: it is closed.
    Invalid(FaultReason),
}

/// The backends of a rule with their weights. All workers share it, so that a handful of connections is
/// split right, too, whichever workers they reach.
///
/// Each run of as many connections as the sum of the weights (divided by their common divisor) is split
/// exactly, and its beginnings as near as can be ("smooth weighted round robin", as nginx calls it).
#[derive(Debug)]
pub(crate) struct Split {
    targets: Box<[(Target, i64)]>,
    /// What each target is due; the sum is zero between two choices.
    due: Mutex<Box<[i64]>>,
}

impl Split {
    /// `previous`: the same rule in the previous snapshot. Where the weights are the same the run goes on, so
    /// that frequent changes of the configuration do not favour the first backend.
    pub(crate) fn new(weighted: &[WeightedBackend], backends: &Backends, previous: Option<&Self>) -> Self {
        let weighted = weighted.iter().filter(|it| it.weight > 0);
        let targets: Box<[_]> =
            weighted.map(|it| (target(&it.target, backends), i64::from(it.weight))).collect();
        let weights =
            |targets: &[(Target, i64)]| targets.iter().map(|(_, weight)| *weight).collect::<Vec<_>>();
        let due = match previous {
            Some(previous) if weights(&previous.targets) == weights(&targets) => previous.due().clone(),
            _ => vec![0; targets.len()].into(),
        };
        Self { targets, due: Mutex::new(due) }
    }

    /// Where the next connection goes; None when no backend has a weight above zero.
    pub(crate) fn choose(&self) -> Option<Target> {
        if self.targets.len() <= 1 {
            return self.targets.first().map(|(target, _)| *target);
        }
        let mut due = self.due();
        let mut total = 0;
        for (due, (_, weight)) in due.iter_mut().zip(&self.targets) {
            *due += weight;
            total += weight;
        }
        let mut most: Option<(&mut i64, Target)> = None;
        for (due, (target, _)) in due.iter_mut().zip(&self.targets) {
            if most.as_ref().is_none_or(|(most, _)| *due > **most) {
                most = Some((due, *target));
            }
        }
        let (due, target) = most?;
        *due -= total;
        Some(target)
    }

    /// Whoever panicked with the lock, a count that is one off does no harm.
    fn due(&self) -> MutexGuard<'_, Box<[i64]>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn target(target: &BackendTarget, backends: &Backends) -> Target {
    match target {
        BackendTarget::Backend(key) => {
            backends.id(key).map_or(Target::Invalid(FaultReason::BackendNotFound), Target::Backend)
        }
        BackendTarget::Invalid(fault) => Target::Invalid(fault.reason),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use portway_config::route::Fault;
    use proptest::prelude::*;

    use super::*;

    const FAULTS: [FaultReason; 3] =
        [FaultReason::BackendNotFound, FaultReason::InvalidKind, FaultReason::RefNotPermitted];

    /// Targets that go nowhere can be told apart just as well.
    fn split(weights: &[u32]) -> Split {
        let weighted = |(index, &weight): (usize, &u32)| WeightedBackend {
            index,
            weight,
            target: BackendTarget::Invalid(Fault { reason: FAULTS[index], message: "".into() }),
            filters: Vec::new(),
        };
        let weighted: Vec<_> = weights.iter().enumerate().map(weighted).collect();
        Split::new(&weighted, &Backends::default(), None)
    }

    fn counts(split: &Split, choices: u64) -> HashMap<FaultReason, u64> {
        let mut counts = HashMap::new();
        for _ in 0..choices {
            let Some(Target::Invalid(reason)) = split.choose() else { panic!("no target") };
            *counts.entry(reason).or_default() += 1;
        }
        counts
    }

    #[test]
    fn no_weight_is_no_target() {
        assert_eq!(split(&[]).choose(), None);
        assert_eq!(split(&[0, 0]).choose(), None);
        assert_eq!(counts(&split(&[0, 7]), 5)[&FAULTS[1]], 5);
    }

    #[test]
    fn ten_connections_at_nine_to_one_are_split_nine_to_one() {
        let split = split(&[90, 10]);
        for _ in 0..3 {
            assert_eq!(counts(&split, 10), HashMap::from([(FAULTS[0], 9), (FAULTS[1], 1)]));
        }
    }

    proptest! {
        #[test]
        fn a_run_is_exact_and_its_beginnings_are_near(weights in [1_u32..60, 0_u32..60, 0_u32..60]) {
            let split = split(&weights);
            let sum: u64 = weights.iter().map(|it| u64::from(*it)).sum();
            let mut counts = [0_u64; 3];
            for count in 1..=sum {
                let Some(Target::Invalid(reason)) = split.choose() else { panic!("no target") };
                counts[FAULTS.iter().position(|it| *it == reason).unwrap()] += 1;
                for (got, weight) in counts.iter().zip(weights) {
                    let fair = (count * u64::from(weight)) as f64 / sum as f64;
                    prop_assert!((*got as f64 - fair).abs() < 1.5, "{got} of {count}, fair is {fair}");
                    if count == sum {
                        prop_assert_eq!(*got as f64, fair);
                    }
                }
            }
        }
    }
}
