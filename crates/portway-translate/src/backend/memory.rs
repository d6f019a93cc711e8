//! What is remembered of backends from one translation to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::core::{Endpoints as EndpointsObject, Service};
use portway_api::{Namespaced, ObjectKey, Snapshot};
use portway_config::backend::{Backend, Endpoints};
use portway_config::key::{BackendKey, BackendProtocol, EndpointsKey, ListenerKey, Transport};
use portway_config::{NamespacedName, Route};
use portway_shared_map::SharedMap;

use super::endpoints::EndpointsIndex;
use crate::finding::Finding;
use crate::frame::follow;
use crate::listener::{GatewayView, Protocol};

/// What is remembered of backends from one translation to the next.
#[derive(Default)]
pub(crate) struct BackendMemory {
    pub(super) index: EndpointsIndex,
    services: Namespaced<Service>,
    objects: Namespaced<EndpointsObject>,
    /// Services whose endpoints may be others than what is remembered.
    pub(super) stale: BTreeSet<ObjectKey>,
    /// Endpoints of all Gateways: what several use is shared.
    pub(super) endpoints: BTreeMap<EndpointsKey, Arc<Endpoints>>,
    /// What is to be told of those without endpoints.
    pub(super) absent: BTreeMap<EndpointsKey, Finding>,
    pub(super) gateways: BTreeMap<ObjectKey, GatewayBackends>,
    /// Endpoints that a Gateway does not use any more.
    pub(super) left: BTreeSet<EndpointsKey>,
}

/// The backends of one Gateway.
#[derive(Default)]
pub(super) struct GatewayBackends {
    /// Listeners that pass through what clients have encrypted.
    passing: BTreeSet<ListenerKey>,
    /// How often routes name each.
    uses: BTreeMap<BackendKey, Uses>,
    /// Those that filters of listeners name.
    pub(super) of_listeners: BTreeSet<BackendKey>,
    /// Those to be looked at: whether they are in use, or how, may have changed.
    pub(super) touched: BTreeSet<BackendKey>,
    pub(super) backends: SharedMap<BackendKey, Arc<Backend>>,
    pub(super) endpoints: SharedMap<EndpointsKey, Arc<Endpoints>>,
}

/// How often routes name a backend.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    /// Such that the Gateway itself speaks to it.
    spoken: u32,
    /// Such that it passes on what clients have encrypted.
    passed: u32,
}

impl BackendMemory {
    /// Takes in Gateways, Services and lists of endpoints of a later state. A Gateway that is not accepted has no backends.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot, gateways: &BTreeMap<ObjectKey, GatewayView<'_>>) {
        self.stale.extend(self.index.follow(snapshot));
        self.stale.extend(follow(&mut self.services, &snapshot.services));
        self.stale.extend(follow(&mut self.objects, &snapshot.endpoints));
        let is_gone = |key: &&ObjectKey| !gateways.get(*key).is_some_and(|view| view.accepted);
        for key in self.gateways.keys().filter(is_gone).cloned().collect::<Vec<_>>() {
            let gone = self.gateways.remove(&key).map(|gone| gone.endpoints);
            self.left.extend(gone.iter().flat_map(SharedMap::keys).cloned());
        }
        for (key, view) in gateways.iter().filter(|(_, view)| view.accepted) {
            let passing = view.listeners.iter().filter(|it| it.protocol == Some(Protocol::TlsPassthrough));
            let passing = passing.map(|it| it.key.clone()).collect();
            self.gateways.entry(key.clone()).or_default().passing = passing;
        }
    }

    /// All routes will be added again.
    pub(crate) fn forget_uses(&mut self) {
        for gateway in self.gateways.values_mut() {
            gateway.uses.clear();
            gateway.of_listeners.clear();
            gateway.touched.extend(gateway.backends.keys().cloned());
        }
    }

    /// A route is in the configuration of a Gateway now.
    pub(crate) fn add_route(&mut self, gateway: &ObjectKey, route: &Route) {
        let gateway = self.gateways.entry(gateway.clone()).or_default();
        let is_spoken_to = gateway.is_spoken_to(route);
        route.rules.each_backend(&mut |key| {
            let uses = gateway.uses.entry(key.clone()).or_default();
            let count = if is_spoken_to { &mut uses.spoken } else { &mut uses.passed };
            *count = count.saturating_add(1);
            gateway.touched.insert(key.clone());
        });
    }

    /// A route is no longer in the configuration of a Gateway.
    pub(crate) fn remove_route(&mut self, gateway: &ObjectKey, route: &Route) {
        let Some(gateway) = self.gateways.get_mut(gateway) else { return };
        let is_spoken_to = gateway.is_spoken_to(route);
        route.rules.each_backend(&mut |key| {
            if let Some(uses) = gateway.uses.get_mut(key) {
                let count = if is_spoken_to { &mut uses.spoken } else { &mut uses.passed };
                *count = count.saturating_sub(1);
                if uses.spoken == 0 && uses.passed == 0 {
                    gateway.uses.remove(key);
                }
            }
            gateway.touched.insert(key.clone());
        });
    }

    /// Whether a Gateway uses endpoints.
    pub(super) fn are_in_use(&self, key: &EndpointsKey) -> bool {
        self.gateways.values().any(|gateway| gateway.uses_endpoints(key))
    }

    /// The endpoints of a Service that are remembered.
    pub(super) fn of_service(&self, service: &ObjectKey) -> Vec<EndpointsKey> {
        let first = first_of(service);
        let keys = self.endpoints.range(&first..).map(|(key, _)| key);
        keys.take_while(|key| key.service == first.service).cloned().collect()
    }
}

impl GatewayBackends {
    fn is_spoken_to(&self, route: &Route) -> bool {
        route.attachments.iter().any(|it| !self.passing.contains(&it.listener))
    }

    /// Whether the Gateway itself speaks to a backend; None where it does not use it at all. What it only passes
    /// through, clients have encrypted already.
    pub(super) fn in_use(&self, key: &BackendKey) -> Option<bool> {
        let by_routes = self.uses.get(key).map(|uses| uses.spoken > 0);
        if self.of_listeners.contains(key) { Some(true) } else { by_routes }
    }

    /// The backends of a Service that are in use.
    pub(super) fn of_service(&self, service: &ObjectKey) -> BTreeSet<BackendKey> {
        let first = BackendKey { endpoints: first_of(service), protocol: BackendProtocol::Http1 };
        let is_of_service = |key: &&BackendKey| key.endpoints.service == first.endpoints.service;
        let by_routes = self.uses.range(&first..).map(|(key, _)| key).take_while(is_of_service);
        let by_listeners = self.of_listeners.range(&first..).take_while(is_of_service);
        by_routes.chain(by_listeners).cloned().collect()
    }

    /// Whether one of the backends in use has these endpoints.
    pub(super) fn uses_endpoints(&self, key: &EndpointsKey) -> bool {
        BackendProtocol::ALL
            .into_iter()
            .any(|protocol| self.in_use(&BackendKey { endpoints: key.clone(), protocol }).is_some())
    }
}

/// The first key that endpoints of a Service could have.
fn first_of(service: &ObjectKey) -> EndpointsKey {
    let service = NamespacedName::new(service.namespace.as_str(), service.name.as_str());
    EndpointsKey { service, port: 0, transport: Transport::Tcp }
}
