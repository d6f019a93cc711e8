//! Gateways: which are ours, and what they listen on.

use std::collections::BTreeMap;

use portway_api::ObjectKey;

use crate::context::{Context, Output};
use crate::listener::GatewayView;

/// The Gateways of our classes with their listeners. Puts a configuration, without listeners yet,
/// into `out` for each that is accepted.
pub(crate) fn views<'a>(_context: &Context<'a>, _out: &mut Output) -> BTreeMap<ObjectKey, GatewayView<'a>> {
    BTreeMap::new()
}

/// Writes listeners into the configurations and conditions into the statuses.
pub(crate) fn finish(
    _context: &Context<'_>,
    _gateways: BTreeMap<ObjectKey, GatewayView<'_>>,
    _out: &mut Output,
) {
}
