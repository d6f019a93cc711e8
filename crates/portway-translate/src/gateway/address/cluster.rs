//! Addresses of a Gateway in a cluster: decided by whoever provisions, told here.

use portway_api::Gateway;

use super::super::error;
use super::{Failure, Outcome};
use crate::finding::{Culprit, FindingCode};
use crate::options::{AddressOutcome, ClusterOptions};
use crate::reason::Reason;

/// What was chosen for a Gateway that asks for nothing in particular.
pub(super) fn chosen(gateway: &Gateway, cluster: &ClusterOptions) -> Vec<Outcome> {
    let decided = cluster.addresses.get(&gateway.key()).into_iter().flatten();
    let outcomes: Vec<_> =
        decided.map(|it| outcome(gateway, "spec.addresses", it).unwrap_or_else(Outcome::Failed)).collect();
    if outcomes.is_empty() { vec![Outcome::Awaited(String::new())] } else { outcomes }
}

/// One outcome, which concerns `field`.
pub(super) fn outcome(
    gateway: &Gateway,
    field: &str,
    outcome: &AddressOutcome,
) -> Result<Outcome, Box<Failure>> {
    match outcome {
        AddressOutcome::Assigned(address) => Ok(Outcome::Assigned(address.clone())),
        AddressOutcome::Awaited(whom) => Ok(Outcome::Awaited(whom.clone())),
        AddressOutcome::Refused { is_unusable, message, help } => {
            let reason = if *is_unusable { Reason::AddressNotUsable } else { Reason::AddressNotAssigned };
            let finding = error(gateway, FindingCode::UnsupportedValue, field, message.as_str());
            Err(Box::new(Failure {
                reason,
                finding: finding.with_help(help.as_str()).with_culprit(Culprit::Nobody),
            }))
        }
    }
}
