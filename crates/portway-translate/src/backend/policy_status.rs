//! The status of a BackendTLSPolicy towards one Gateway (GEP-713).

use portway_api::BackendTlsPolicy;
use portway_api::backend_tls_policy::PolicyAncestorStatus;
use portway_api::reference::ParentReference;

use super::checked_policy::CheckedPolicy;
use super::claims::Verdict;
use crate::condition::Conditions;
use crate::context::Context;
use crate::reason::{ConditionType, Reason};

/// The most ancestors that a policy's status can have, those of other controllers counted (`apis/v1`).
pub(crate) const MAX_ANCESTORS: usize = 16;

/// What we say of a policy towards `ancestor`.
pub(crate) fn ancestor_status(
    context: &Context<'_>,
    policy: &BackendTlsPolicy,
    checked: &CheckedPolicy,
    verdict: &Verdict,
    ancestor: ParentReference,
    controller: &str,
) -> PolicyAncestorStatus {
    let mut conditions = context.conditions(policy.generation());
    accepted(checked, verdict, &mut conditions);
    for problem in &checked.problems.unresolved {
        conditions.fail(ConditionType::ResolvedRefs, problem.reason, problem.sentence());
    }
    let message = "All references are resolved.";
    conditions.set_default(ConditionType::ResolvedRefs, true, Reason::ResolvedRefs, message);
    let ancestors = policy.status.iter().flat_map(|status| &status.ancestors);
    let mut ours = ancestors.filter(|it| it.controller_name == controller && it.ancestor_ref == ancestor);
    let previous = ours.next().map_or(&[][..], |it| it.conditions.as_slice());
    PolicyAncestorStatus {
        conditions: conditions.finish(previous),
        ancestor_ref: ancestor,
        controller_name: controller.to_owned(),
    }
}

fn accepted(checked: &CheckedPolicy, verdict: &Verdict, conditions: &mut Conditions) {
    let kind = ConditionType::Accepted;
    for problem in verdict.problems.invalid.iter().chain(&checked.problems.invalid) {
        conditions.fail(kind, problem.reason, problem.sentence());
    }
    let in_force = verdict.in_force.join(", ");
    if conditions.is_false(kind) {
        // A policy may win one Service and lose another; whoever reads of the loss shall know the rest.
        if !in_force.is_empty() && checked.problems.invalid.is_empty() {
            conditions.fail(kind, Reason::Conflicted, format!("It is in force for {in_force}."));
        }
        return;
    }
    let mut message = format!("The policy is in force for {in_force}.");
    for warning in &verdict.warnings {
        message.push(' ');
        message.push_str(warning);
    }
    if !checked.ignored_options.is_empty() {
        message.push_str(&format!(
            " These options belong to other implementations and are ignored: {}.",
            checked.ignored_options.join(", ")
        ));
    }
    conditions.set(kind, true, Reason::Accepted, message);
}
