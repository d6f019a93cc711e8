//! Which kinds of routes may attach to a listener.

use portway_api::listener::RouteGroupKind;
use portway_api::resource::GATEWAY_GROUP;
use portway_config::RouteKind;

use super::view::ListenerView;
use crate::context::Output;
use crate::finding::FindingCode;
use crate::reason::Reason;

/// Reads `allowedRoutes.kinds`. What the protocol cannot serve is an unresolved reference; the rest counts.
pub(super) fn read(view: &mut ListenerView<'_>, out: &mut Output) {
    let Some(protocol) = view.protocol else { return };
    let possible = protocol.route_kinds();
    let spec = view.spec;
    let asked = spec.allowed_routes.as_ref().map(|it| it.kinds.as_slice()).unwrap_or_default();
    if asked.is_empty() {
        view.allowed.kinds = possible.to_vec();
        return;
    }
    for (index, kind) in asked.iter().enumerate() {
        match possible.iter().find(|it| is(**it, kind)) {
            Some(kind) if view.allowed.kinds.contains(kind) => {}
            Some(kind) => view.allowed.kinds.push(*kind),
            None => {
                let possible: Vec<_> = possible.iter().map(|it| it.as_str()).collect();
                let field = format!("allowedRoutes.kinds[{index}]");
                let message = format!(
                    "{} of {} cannot attach to a listener of protocol {}",
                    kind.kind,
                    kind.group(),
                    spec.protocol
                );
                let error = view
                    .error(FindingCode::InvalidKind, &field, message)
                    .with_help(format!("use {}", possible.join(" or ")));
                view.unresolved(Reason::InvalidRouteKinds, error, out);
            }
        }
    }
}

fn is(kind: RouteKind, written: &RouteGroupKind) -> bool {
    written.group() == GATEWAY_GROUP && written.kind == kind.as_str()
}

/// As the API writes kinds in a listener's status.
pub(crate) fn supported(kinds: &[RouteKind]) -> Vec<RouteGroupKind> {
    let written = |kind: &RouteKind| RouteGroupKind {
        group: Some(GATEWAY_GROUP.to_owned()),
        kind: kind.as_str().to_owned(),
    };
    kinds.iter().map(written).collect()
}
