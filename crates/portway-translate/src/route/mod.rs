//! Routes: which listeners they attach to, and what their rules become.

use std::collections::BTreeMap;

use portway_api::ObjectKey;

use crate::context::{Context, Output};
use crate::listener::GatewayView;

/// Attaches all routes: counts them at the listeners, writes routes, backends and endpoints into
/// the configurations, and the statuses of routes and BackendTLSPolicies.
pub(crate) fn translate_routes(
    _context: &Context<'_>,
    _gateways: &mut BTreeMap<ObjectKey, GatewayView<'_>>,
    _out: &mut Output,
) {
}
