//! What is behind a listener, if its configuration is such that the kernel can serve it. Pure, and the same on every
//! machine.

use std::net::SocketAddr;
use std::sync::Arc;

use portway_config::backend::{BackendTls, Endpoint, EndpointAddress, EndpointState};
use portway_config::route::BackendTarget;
use portway_config::{BackendKey, Configuration, EndpointsKey, Listener, ListenerProtocol};
use portway_route::Router;

use super::path::Reason;

/// A backend with the endpoints that take new connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedBackend {
    pub(super) weight: u32,
    /// Without any, its share is refused.
    pub(super) endpoints: Vec<PlannedEndpoint>,
}

/// An endpoint that takes new connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedEndpoint {
    pub(super) address: SocketAddr,
    /// Name of the node that it is on, where that is known.
    pub(super) node: Option<Arc<str>>,
}

/// What is behind a listener.
///
/// # Errors
///
/// Why the kernel cannot serve it.
pub(crate) fn plan(
    configuration: &Configuration,
    router: &Router,
    listener: &Listener,
) -> Result<Vec<PlannedBackend>, Reason> {
    if !matches!(listener.protocol, ListenerProtocol::Tcp | ListenerProtocol::Udp) {
        return Err(Reason::ReadsContent);
    }
    let rule = router.listener_id(&listener.key).and_then(|id| router.l4_rule(id));
    let entry = rule.and_then(|rule| router.l4_rules().get(rule.0 as usize)).ok_or(Reason::NoRoute)?;
    let backends = entry.rule().backends.iter().filter(|it| it.weight > 0);
    let planned = backends.map(|it| {
        let endpoints = match &it.target {
            BackendTarget::Backend(key) => endpoints(configuration, key)?,
            BackendTarget::Invalid(_) => Vec::new(),
        };
        Ok(PlannedBackend { weight: it.weight, endpoints })
    });
    planned.collect()
}

/// The proxies of a Gateway, as what is behind one of its listeners.
///
/// # Errors
///
/// Packets cannot be brought to them.
pub(super) fn plan_proxies(
    configuration: &Configuration,
    proxies: &EndpointsKey,
) -> Result<Vec<PlannedBackend>, Reason> {
    Ok(vec![PlannedBackend { weight: 1, endpoints: taking_new(configuration, proxies)? }])
}

/// The endpoints of a backend that take new connections.
fn endpoints(configuration: &Configuration, key: &BackendKey) -> Result<Vec<PlannedEndpoint>, Reason> {
    if configuration.backends.get(key).is_some_and(|it| it.tls != BackendTls::Plain) {
        return Err(Reason::BackendTls);
    }
    taking_new(configuration, &key.endpoints)
}

/// The endpoints that take new connections, as the proxy would choose them.
fn taking_new(configuration: &Configuration, key: &EndpointsKey) -> Result<Vec<PlannedEndpoint>, Reason> {
    let all = configuration.endpoints.get(key).map(|it| it.endpoints.as_slice()).unwrap_or_default();
    let in_state = |state| all.iter().filter(move |it| it.state == state);
    // Terminating endpoints are used only when no endpoint is ready (KEP-1669).
    let ready = in_state(EndpointState::Ready).next().is_some();
    let state = if ready { EndpointState::Ready } else { EndpointState::Terminating };
    let endpoint = |it: &Endpoint| match &it.address {
        EndpointAddress::Dns { .. } => Err(Reason::EndpointByName),
        EndpointAddress::Socket(address) if address.ip().is_loopback() => Err(Reason::EndpointOnLoopback),
        EndpointAddress::Socket(address) => Ok(PlannedEndpoint { address: *address, node: it.node.clone() }),
    };
    in_state(state).map(endpoint).collect()
}
