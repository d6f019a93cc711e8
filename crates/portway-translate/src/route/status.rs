//! The status of a route.

use std::collections::BTreeMap;

use portway_api::ObjectKey;
use portway_api::route::{RouteParentStatus, RouteStatus};

use super::rule::{InvalidRule, Outcome};
use super::shadow::Shadows;
use super::work::{ParentWork, Work};
use crate::condition::Conditions;
use crate::context::Context;
use crate::listener::{GatewayView, ListenerView};
use crate::problem::Problem;
use crate::reason::{ConditionType, Reason};

/// The most parents that a route's status can have (`apis/v1`, RouteStatus.parents).
const MAX_PARENTS: usize = 32;

/// The status of a route, with an entry for each parent of ours.
pub(crate) fn status(
    context: &Context<'_>,
    gateways: &BTreeMap<ObjectKey, GatewayView<'_>>,
    shadows: &Shadows,
    work: &Work<'_, '_>,
) -> RouteStatus {
    let parents = work.parents.iter().take(MAX_PARENTS).map(|it| {
        let listeners = gateways.get(&it.parent.gateway).map_or(&[][..], |view| &view.listeners);
        let mut conditions = context.conditions(work.view.generation());
        accepted(listeners, shadows, work, it, &mut conditions);
        resolved_refs(work, &mut conditions);
        if conditions.is_true(ConditionType::Accepted) {
            partially_invalid(work, &mut conditions);
        }
        let controller = it.parent.controller;
        let previous = work.view.previous_conditions(&it.reference, controller);
        RouteParentStatus {
            parent_ref: it.reference.clone(),
            controller_name: controller.to_owned(),
            conditions: conditions.finish(previous),
        }
    });
    RouteStatus { parents: parents.collect() }
}

/// Whether the route is accepted by this parent.
pub(crate) fn is_accepted(work: &Work<'_, '_>, it: &ParentWork<'_, '_>) -> bool {
    !work.is_invalid() && !it.attached().is_empty()
}

fn accepted(
    listeners: &[ListenerView<'_>],
    shadows: &Shadows,
    work: &Work<'_, '_>,
    it: &ParentWork<'_, '_>,
    conditions: &mut Conditions,
) {
    let kind = ConditionType::Accepted;
    if let Err(refusal) = &it.attached {
        conditions.fail(kind, refusal.reason, refusal.sentence());
    } else if it.attached().is_empty() {
        conditions.fail(kind, Reason::HostnameConflict, displaced(listeners, it).join(" "));
    }
    for problem in &work.problems.invalid {
        conditions.fail(kind, problem.reason, problem.sentence());
    }
    if work.translated.is_wholly_invalid() {
        for problem in work.translated.invalid.iter().flat_map(|rule| &rule.problems) {
            conditions.fail(kind, problem.reason, problem.sentence());
        }
    }
    if !conditions.is_false(kind) {
        let mut message = vec!["The route is accepted.".to_owned()];
        message.extend(unserved(listeners, it));
        message.extend(displaced(listeners, it));
        message.extend(shadows.sentences(&it.parent.gateway));
        conditions.set(kind, true, Reason::Accepted, message.join(" "));
    }
}

/// A listener may take a route and yet not be served, which the API tells in the listener's status; a
/// reader of the route's shall not miss it.
pub(super) fn unserved(listeners: &[ListenerView<'_>], it: &ParentWork<'_, '_>) -> Vec<String> {
    let attached = it.attached().iter().filter_map(|attached| listeners.get(attached.listener));
    attached
        .filter(|listener| listener.config.is_none())
        .map(|listener| format!("Listener {} is not served: see its conditions.", listener.name()))
        .collect()
}

/// Where a route of the other HTTP kind has precedence.
pub(super) fn displaced(listeners: &[ListenerView<'_>], it: &ParentWork<'_, '_>) -> Vec<String> {
    let told = it.displaced.iter().map(|(index, winner)| {
        format!(
            "On listener {} it has a hostname in common with {winner}, which has precedence (the older, then by \
             name); an HTTPRoute and a GRPCRoute cannot share a hostname of a listener.",
            name_of(listeners, *index)
        )
    });
    told.collect()
}

fn name_of<'l>(listeners: &'l [ListenerView<'_>], index: usize) -> &'l str {
    listeners.get(index).map_or("", |listener| listener.name())
}

fn resolved_refs(work: &Work<'_, '_>, conditions: &mut Conditions) {
    let kind = ConditionType::ResolvedRefs;
    for problem in &work.translated.problems.unresolved {
        conditions.fail(kind, problem.reason, problem.sentence());
    }
    conditions.set_default(kind, true, Reason::ResolvedRefs, "All references are resolved.");
}

/// "The message for this condition MUST start with the prefix "Dropped Rule" and include information
/// about which Rules have been dropped."
fn partially_invalid(work: &Work<'_, '_>, conditions: &mut Conditions) {
    let kind = ConditionType::PartiallyInvalid;
    let first = work.translated.invalid.iter().flat_map(|rule| &rule.problems).next();
    let Some(reason) = first.map(|problem| problem.reason) else { return };
    let told: Vec<_> = work.translated.invalid.iter().map(dropped).collect();
    conditions.set(kind, true, reason, told.join(" "));
}

fn dropped(rule: &InvalidRule) -> String {
    let name = rule.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let told: Vec<_> = rule.problems.iter().map(Problem::sentence).collect();
    let fate = match rule.outcome {
        Outcome::Dropped => "",
        Outcome::Refused => " Requests that it matches get status 500.",
    };
    format!("Dropped Rule {}{name}: {}{fate}", rule.index, told.join(" "))
}
