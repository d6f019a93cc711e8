//! The status of a route, and what `portway check` tells of it.

use std::fmt::Write;

use portway_api::route::{RouteParentStatus, RouteStatus};

use super::rule::{InvalidRule, Outcome};
use super::work::{ParentWork, Work};
use crate::condition::Conditions;
use crate::context::Context;
use crate::finding::{Finding, FindingCode, Severity};
use crate::listener::GatewayView;
use crate::reason::{ConditionType, Reason};
use portway_api::ObjectKey;
use std::collections::BTreeMap;

/// The most parents that a route's status can have (`apis/v1`, RouteStatus.parents).
const MAX_PARENTS: usize = 32;

/// The status of a route, with an entry for each parent of ours.
pub(crate) fn status(
    context: &Context<'_>,
    gateways: &BTreeMap<ObjectKey, GatewayView<'_>>,
    work: &Work<'_, '_>,
) -> RouteStatus {
    let parents = work.parents.iter().take(MAX_PARENTS).map(|it| {
        let mut conditions = context.conditions(work.view.generation());
        accepted(gateways, work, it, &mut conditions);
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
    gateways: &BTreeMap<ObjectKey, GatewayView<'_>>,
    work: &Work<'_, '_>,
    it: &ParentWork<'_, '_>,
    conditions: &mut Conditions,
) {
    let kind = ConditionType::Accepted;
    if let Err(refusal) = &it.attached {
        conditions.fail(kind, refusal.reason, refusal.sentence());
    } else if it.attached().is_empty() {
        conditions.fail(kind, Reason::HostnameConflict, displaced(gateways, it));
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
        conditions.set(kind, true, Reason::Accepted, acceptance(gateways, work, it));
    }
}

/// The message of a route that is accepted. A listener may take a route and yet not be served, which
/// the API tells in the listener's status; a reader of the route's shall not miss it.
fn acceptance(
    gateways: &BTreeMap<ObjectKey, GatewayView<'_>>,
    work: &Work<'_, '_>,
    it: &ParentWork<'_, '_>,
) -> String {
    let mut message = "The route is accepted.".to_owned();
    let _ = work;
    for attached in it.attached() {
        let listener =
            gateways.get(&it.parent.gateway).and_then(|view| view.listeners.get(attached.listener));
        if let Some(listener) = listener.filter(|listener| listener.config.is_none()) {
            let _ = write!(message, " Listener {} is not served: see its conditions.", listener.name());
        }
    }
    if !it.displaced.is_empty() {
        let _ = write!(message, " {}", displaced(gateways, it));
    }
    message
}

fn displaced(gateways: &BTreeMap<ObjectKey, GatewayView<'_>>, it: &ParentWork<'_, '_>) -> String {
    let listeners = gateways.get(&it.parent.gateway).map_or(&[][..], |view| &view.listeners);
    let told = it.displaced.iter().map(|(index, winner)| {
        let name = listeners.get(*index).map_or("", |listener| listener.name());
        format!(
            "On listener {name} it has a hostname in common with {winner}, which has precedence (the older, then by \
             name); an HTTPRoute and a GRPCRoute cannot share a hostname of a listener."
        )
    });
    told.collect::<Vec<_>>().join(" ")
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
    for rule in &work.translated.invalid {
        let reason = rule.problems.first().map_or(Reason::UnsupportedValue, |problem| problem.reason);
        let told: Vec<_> = rule.problems.iter().map(crate::problem::Problem::sentence).collect();
        let message = format!("Dropped Rule {}: {}", name(rule), told.join(" "));
        let message = match rule.outcome {
            Outcome::Dropped => message,
            Outcome::Refused => format!("{message} Requests that it matches get status 500."),
        };
        match conditions.get(ConditionType::PartiallyInvalid) {
            None => conditions.set(ConditionType::PartiallyInvalid, true, reason, message),
            Some((_, reason, earlier)) => {
                let message = format!("{earlier} {message}");
                conditions.set(ConditionType::PartiallyInvalid, true, reason, message);
            }
        }
    }
}

fn name(rule: &InvalidRule) -> String {
    match &rule.name {
        Some(name) => format!("{} ({name})", rule.index),
        None => rule.index.to_string(),
    }
}

/// What `portway check` tells of a route.
pub(crate) fn findings(
    gateways: &BTreeMap<ObjectKey, GatewayView<'_>>,
    work: &Work<'_, '_>,
    findings: &mut Vec<Finding>,
) {
    let object = work.view.object_ref();
    for it in &work.parents {
        let field = match it.index {
            Some(index) => format!("spec.parentRefs[{index}]"),
            None => "spec.useDefaultGateways".to_owned(),
        };
        let finding = |severity, message: String| {
            Finding::new(severity, FindingCode::RouteNotAttached, object.clone(), field.clone(), message)
        };
        match &it.attached {
            Err(refusal) => {
                let found = finding(Severity::Error, refusal.message.clone());
                findings.push(match &refusal.help {
                    Some(help) => found.with_help(help),
                    None => found,
                });
            }
            Ok(_) if !it.displaced.is_empty() => {
                findings.push(finding(Severity::Error, displaced(gateways, it)));
            }
            Ok(attached) => {
                let listeners = gateways.get(&it.parent.gateway).map_or(&[][..], |view| &view.listeners);
                for listener in attached.iter().filter_map(|it| listeners.get(it.listener)) {
                    if listener.config.is_none() {
                        let message =
                            format!("listener {} is not served: see its conditions", listener.name());
                        findings.push(finding(Severity::Warning, message));
                    }
                }
            }
        }
    }
    findings.extend(work.problems.findings(&object));
    findings.extend(work.translated.problems.findings(&object));
    let invalid = work.translated.invalid.iter().flat_map(|rule| &rule.problems);
    findings.extend(invalid.map(|problem| problem.finding(&object)));
}
