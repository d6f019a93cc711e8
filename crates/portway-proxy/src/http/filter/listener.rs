//! Filters of listeners, which run before the route is chosen (GEP-5224).

use portway_config::route::FaultReason;
use portway_route::Router;

use super::Filters;
use crate::upstream::Backends;

/// The filters of one listener. If they cannot be compiled, every request is refused: they protect.
#[derive(Debug)]
pub struct ListenerFilters(pub(in crate::http) Result<Filters, FaultReason>);

/// Compiles the filters of a router's listeners, in its order.
pub fn compile_listener_filters(router: &Router, backends: &Backends) -> Vec<ListenerFilters> {
    let compile = |listener: &std::sync::Arc<portway_config::Listener>| {
        ListenerFilters(Filters::compile(&listener.filters, backends).map_err(|invalid| {
            tracing::warn!(listener = %listener.key, %invalid, "the listener refuses all requests");
            FaultReason::InvalidFilter
        }))
    };
    router.listeners().iter().map(compile).collect()
}
