//! What is wrong with the `parentRefs` of a route that no Gateway of ours answers for.

use portway_api::ObjectKey;
use portway_api::resource::GATEWAY_GROUP;

use super::view::RouteView;
use crate::context::Context;
use crate::finding::{Finding, FindingCode, Severity};

/// References to parents that do not exist or that no implementation could know. What another
/// implementation serves is its business.
pub(crate) fn findings(context: &Context<'_>, route: &RouteView<'_>, findings: &mut Vec<Finding>) {
    let object = route.object_ref();
    if route.parent_refs.is_empty() && !route.wants_default_gateways() {
        let message = "the route names no parent, so it is served nowhere";
        let field = "spec.parentRefs";
        let finding = Finding::new(Severity::Warning, FindingCode::NoEffect, object.clone(), field, message);
        findings.push(finding.with_help("name a Gateway in parentRefs"));
    }
    for (index, reference) in route.parent_refs.iter().enumerate() {
        let namespace = reference.namespace.as_deref().unwrap_or(route.namespace());
        let key = ObjectKey::new(namespace, reference.name.as_str());
        let exists = match (reference.group(), reference.kind()) {
            (GATEWAY_GROUP, "Gateway") => context.snapshot.gateways.contains_key(&key),
            (GATEWAY_GROUP, "ListenerSet") => context.snapshot.listener_sets.contains_key(&key),
            // A mesh serves routes whose parent is a Service.
            ("", "Service") => continue,
            (group, kind) => {
                let message =
                    format!("{kind} of API group `{group}` is no kind of parent that is known here");
                let field = format!("spec.parentRefs[{index}].kind");
                findings.push(Finding::new(
                    Severity::Warning,
                    FindingCode::InvalidKind,
                    object.clone(),
                    field,
                    message,
                ));
                continue;
            }
        };
        if !exists {
            let message =
                format!("{} {key} does not exist, so the route does not attach to it", reference.kind());
            let field = format!("spec.parentRefs[{index}].name");
            let code = FindingCode::ReferenceNotFound;
            findings.push(Finding::new(Severity::Error, code, object.clone(), field, message));
        }
    }
}
