//! What `portway check` tells of a route.

use std::collections::BTreeMap;

use portway_api::ObjectKey;

use super::status;
use super::work::{ParentWork, Work};
use crate::finding::{Finding, FindingCode, Severity};
use crate::listener::GatewayView;

/// Adds what is worth telling of a route that names a parent of ours.
pub(crate) fn add(
    gateways: &BTreeMap<ObjectKey, GatewayView<'_>>,
    work: &Work<'_, '_>,
    findings: &mut Vec<Finding>,
) {
    let object = work.view.object_ref();
    for it in &work.parents {
        let listeners = gateways.get(&it.parent.gateway).map_or(&[][..], |view| &view.listeners);
        let field = field(it);
        let mut add = |severity, code, message: String| {
            let message = message.strip_suffix('.').unwrap_or(&message);
            findings.push(Finding::new(severity, code, object.clone(), field.as_str(), message));
        };
        let code = FindingCode::RouteNotAttached;
        let displaced = if it.attached().is_empty() { Severity::Error } else { Severity::Warning };
        status::displaced(listeners, it).into_iter().for_each(|told| add(displaced, code, told));
        status::unserved(listeners, it).into_iter().for_each(|told| add(Severity::Warning, code, told));
        if let Err(refusal) = &it.attached {
            // Nobody named this parent: that one default Gateway takes the route is what was asked for.
            let is_needed =
                it.index.is_some() || !work.parents.iter().any(|it| status::is_accepted(work, it));
            let severity = if is_needed { Severity::Error } else { Severity::Note };
            let found = Finding::new(severity, code, object.clone(), field, refusal.message.as_str());
            findings.push(match &refusal.help {
                Some(help) => found.with_help(help),
                None => found,
            });
        }
    }
    findings.extend(work.problems.findings(&object));
    findings.extend(work.translated.problems.findings(&object));
    let invalid = work.translated.invalid.iter().flat_map(|rule| &rule.problems);
    findings.extend(invalid.map(|problem| problem.finding(&object)));
}

/// The field that names a parent.
fn field(it: &ParentWork<'_, '_>) -> String {
    match it.index {
        Some(index) => format!("spec.parentRefs[{index}]"),
        None => "spec.useDefaultGateways".to_owned(),
    }
}
