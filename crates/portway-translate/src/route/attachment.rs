//! Which listeners of a parent a route attaches to, and why it does not attach to the others.

use portway_api::reference::ParentReference;
use portway_config::{HostnamePattern, RouteKind};

use super::parent::{self, Parent};
use super::refusal::Refusal;
use super::view::RouteView;
use crate::context::Context;
use crate::listener::{GatewayView, ListenerView};

/// That a route is attached to a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attached {
    /// Index of the listener in the Gateway's view.
    pub(crate) listener: usize,
    /// The hostnames that both match, sorted; never empty.
    pub(crate) hostnames: Vec<HostnamePattern>,
}

/// Attaches a route with these hostnames to the listeners that `reference` selects.
///
/// # Errors
///
/// Why no listener takes it. The reasons have an order: that no listener is selected comes before
/// that none allows the route, and this before that none has a hostname in common with it.
pub(crate) fn attach(
    context: &Context<'_>,
    route: &RouteView<'_>,
    hostnames: &[HostnamePattern],
    reference: &ParentReference,
    parent: &Parent<'_>,
    gateway: &GatewayView<'_>,
) -> Result<Vec<Attached>, Refusal> {
    if !parent.accepted {
        return Err(Refusal::parent_not_accepted(parent));
    }
    let of_parent =
        || parent.listeners.iter().filter_map(|&index| Some((index, gateway.listeners.get(index)?)));
    let selected: Vec<_> = of_parent().filter(|(_, it)| parent::selects(reference, it)).collect();
    if selected.is_empty() {
        let present: Vec<_> = of_parent().map(|(_, it)| it).collect();
        return Err(Refusal::no_matching_parent(reference, parent, &present));
    }
    let namespace = route.namespace();
    let allows = |it: &ListenerView<'_>| {
        it.allows_kind(route.kind) && it.allows_namespace(namespace, context.snapshot, context.options)
    };
    let (allowing, refusing): (Vec<_>, Vec<_>) = selected.into_iter().partition(|(_, it)| allows(it));
    if allowing.is_empty() {
        let refusing: Vec<_> = refusing.into_iter().map(|(_, it)| it).collect();
        return Err(Refusal::not_allowed(context, route, parent, &refusing));
    }
    let attached: Vec<_> = allowing
        .iter()
        .map(|(index, it)| Attached {
            listener: *index,
            hostnames: common(route.kind, hostnames, &it.hostname),
        })
        .filter(|attached| !attached.hostnames.is_empty())
        .collect();
    if attached.is_empty() {
        let allowing: Vec<_> = allowing.into_iter().map(|(_, it)| it).collect();
        return Err(Refusal::no_matching_hostname(route, hostnames, parent, &allowing));
    }
    Ok(attached)
}

/// The hostnames that both a route and a listener match, sorted; a route that names none takes all
/// of the listener's.
fn common(kind: RouteKind, route: &[HostnamePattern], listener: &HostnamePattern) -> Vec<HostnamePattern> {
    if route.is_empty() || matches!(kind, RouteKind::Tcp | RouteKind::Udp) {
        return vec![listener.clone()];
    }
    let mut common: Vec<_> = route.iter().filter_map(|it| it.intersection(listener)).collect();
    common.sort();
    common.dedup();
    common
}
