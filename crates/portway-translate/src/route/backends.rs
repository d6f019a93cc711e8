//! The `backendRefs` of a rule.

use portway_api::reference::BackendRef;
use portway_config::route::{BackendTarget, WeightedBackend};

use crate::backend;
use crate::field::Field;
use crate::filter::{Filters, Scope};
use crate::finding::{FindingCode, Severity};
use crate::problem::Problems;

/// The largest weight (`apis/v1`, BackendRef.weight).
const MAX_WEIGHT: u32 = 1_000_000;

/// The weights of the `backendRefs` of the rule at `field`. Their sum fits a `u32`.
pub(crate) fn weights<F>(refs: &[BackendRef<F>], field: &Field<'_>, problems: &mut Problems) -> Vec<u32> {
    let mut sum: u32 = 0;
    let mut weights = Vec::with_capacity(refs.len());
    for (index, reference) in refs.iter().enumerate() {
        let at = field.item("backendRefs", index);
        let weight = match u32::try_from(reference.weight) {
            Ok(weight @ 0..=MAX_WEIGHT) => weight,
            _ => {
                let message = format!("{} is not between 0 and {MAX_WEIGHT}", reference.weight);
                problems.invalid(&at.field("weight"), message);
                0
            }
        };
        match sum.checked_add(weight) {
            Some(total) => sum = total,
            None => problems.invalid(&at.field("weight"), "the sum of the weights is too large"),
        }
        weights.push(weight);
    }
    if sum == 0 && !refs.is_empty() {
        let message = "all weights are 0, so that no backend gets any of the rule's requests";
        problems.remark(Severity::Warning, FindingCode::NoEffect, &field.field("backendRefs"), message);
    }
    weights
}

/// Translates the `backendRefs` of the rule at `field`; `filters` translates those of one backend.
pub(crate) fn backends<F>(
    scope: &Scope<'_>,
    refs: &[BackendRef<F>],
    weights: Vec<u32>,
    filters: impl Fn(&BackendRef<F>, &Field<'_>, &mut Problems) -> Filters,
    field: &Field<'_>,
    problems: &mut Problems,
) -> Vec<WeightedBackend> {
    let backends = refs.iter().zip(weights).enumerate().map(|(index, (reference, weight))| {
        let at = field.item("backendRefs", index);
        let object = reference.object();
        let target = backend::target(scope.context, scope.referrer, &object, scope.traffic, &at, problems);
        let Filters { filters, fault } = filters(reference, &at, problems);
        // A filter that cannot be run must not be skipped: its backend's share is refused.
        let target = fault.map_or(target, BackendTarget::Invalid);
        WeightedBackend { index, weight, target, filters }
    });
    backends.collect()
}

#[cfg(test)]
mod tests {
    use portway_api::reference::NoFilter;

    use super::*;

    fn invalid(weights_of: &[i32]) -> Vec<String> {
        let reference = |weight: &i32| BackendRef::<NoFilter> {
            group: None,
            kind: None,
            name: "store".to_owned(),
            namespace: None,
            port: Some(80),
            weight: *weight,
            filters: Vec::new(),
        };
        let refs: Vec<_> = weights_of.iter().map(reference).collect();
        let mut problems = Problems::default();
        assert_eq!(weights(&refs, &Field::SPEC, &mut problems).len(), refs.len());
        problems.invalid.into_iter().map(|it| it.field).collect()
    }

    #[test]
    fn a_weight_is_between_0_and_a_million() {
        assert!(invalid(&[0, 1, 1_000_000]).is_empty());
        assert_eq!(
            invalid(&[-1, 1, 1_000_001]),
            ["spec.backendRefs[0].weight", "spec.backendRefs[2].weight"]
        );
    }

    #[test]
    fn the_sum_of_the_weights_fits() {
        let fitting = usize::try_from(u32::MAX / MAX_WEIGHT).unwrap();
        let largest = i32::try_from(MAX_WEIGHT).unwrap();
        assert!(invalid(&vec![largest; fitting]).is_empty());
        assert_eq!(invalid(&vec![largest; fitting + 1]), [format!("spec.backendRefs[{fitting}].weight")]);
    }
}
