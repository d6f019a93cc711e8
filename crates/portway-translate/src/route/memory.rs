//! What is remembered of routes from one translation to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::core::Service;
use portway_api::route::RouteStatus;
use portway_api::{GrpcRoute, HttpRoute, Namespaced, ObjectKey, Snapshot, TcpRoute, TlsRoute, UdpRoute};
use portway_config::{NamespacedName, Route, RouteKey, RouteKind};
use portway_route::Router;
use portway_shared_map::SharedMap;

use super::work::Work;
use crate::backend::BackendMemory;
use crate::finding::Finding;
use crate::frame::follow;
use crate::status::SharedStatuses;

/// A listener of a Gateway: its index in the Gateway's view.
pub(super) type ListenerIndex = (ObjectKey, usize);

/// What is remembered of routes from one translation to the next: the objects that were looked at, and what came of each.
#[derive(Default)]
pub(crate) struct RouteMemory {
    http: Namespaced<HttpRoute>,
    grpc: Namespaced<GrpcRoute>,
    tls: Namespaced<TlsRoute>,
    tcp: Namespaced<TcpRoute>,
    udp: Namespaced<UdpRoute>,
    services: Namespaced<Service>,
    /// Which routes depend on a Service, be it there or not.
    by_service: BTreeMap<ObjectKey, BTreeSet<RouteKey>>,
    remembered: BTreeMap<RouteKey, Remembered>,
    /// The lists of the route that was remembered last.
    last: Remembered,
    /// How many HTTPRoutes and GRPCRoutes want to be at each listener.
    http_kinds: BTreeMap<ListenerIndex, (usize, usize)>,
    /// How many routes are attached to each listener.
    attached: BTreeMap<ListenerIndex, usize>,
    /// The routes of each Gateway's configuration.
    pub(super) routes: BTreeMap<ObjectKey, SharedMap<RouteKey, Arc<Route>>>,
    /// The same before, for as long as a translation is under way.
    earlier: BTreeMap<ObjectKey, SharedMap<RouteKey, Arc<Route>>>,
    pub(super) routers: BTreeMap<ObjectKey, Router>,
    pub(super) statuses: SharedMap<(RouteKind, ObjectKey), Arc<RouteStatus>>,
    pub(super) shared_statuses: SharedStatuses,
    /// Of those alone of which there is something to tell.
    pub(super) findings: BTreeMap<RouteKey, Vec<Finding>>,
    pub(super) backends: BackendMemory,
}

/// What one route takes part in, each once. There are thousands of routes with one of each, for which a set of the
/// standard library takes the room of eleven; and most take part in what the route before them takes part in, and share
/// its list.
#[derive(Clone, Default)]
struct Remembered {
    /// The Services that it depends on.
    services: Arc<[ObjectKey]>,
    /// Where it wants to be, if it carries HTTP.
    wanted: Arc<[ListenerIndex]>,
    /// Where it is attached.
    attached: Arc<[ListenerIndex]>,
    /// The Gateways that have it in their configuration.
    gateways: Arc<[ObjectKey]>,
}

impl RouteMemory {
    /// What all routes depend on is another: each is to be looked at. Equal results are still shared with those before.
    pub(crate) fn expect_anything(&mut self) {
        let before = std::mem::take(self);
        self.earlier = before.routes;
        for (gateway, routes) in before.earlier {
            self.earlier.entry(gateway).or_default().extend(routes);
        }
        self.routers = before.routers;
        self.shared_statuses = before.shared_statuses;
        self.backends = before.backends;
        self.backends.forget_uses();
    }

    /// The routes of a Gateway, compiled.
    pub(crate) fn router(&self, gateway: &ObjectKey) -> Option<&Router> {
        self.routers.get(gateway)
    }

    /// The routes to be looked at: those that are others in this snapshot, and those that depend on a Service that is.
    pub(super) fn follow(&mut self, snapshot: &Snapshot) -> BTreeSet<RouteKey> {
        let of = |kind: RouteKind, keys: Vec<ObjectKey>| {
            keys.into_iter()
                .map(move |key| RouteKey { kind, name: NamespacedName::new(key.namespace, key.name) })
        };
        let mut changed = BTreeSet::new();
        changed.extend(of(RouteKind::Http, follow(&mut self.http, &snapshot.http_routes)));
        changed.extend(of(RouteKind::Grpc, follow(&mut self.grpc, &snapshot.grpc_routes)));
        changed.extend(of(RouteKind::Tls, follow(&mut self.tls, &snapshot.tls_routes)));
        changed.extend(of(RouteKind::Tcp, follow(&mut self.tcp, &snapshot.tcp_routes)));
        changed.extend(of(RouteKind::Udp, follow(&mut self.udp, &snapshot.udp_routes)));
        for service in follow(&mut self.services, &snapshot.services) {
            changed.extend(self.by_service.get(&service).into_iter().flatten().cloned());
        }
        changed
    }

    /// Whether no route has been looked at yet.
    pub(super) fn knows_nothing(&self) -> bool {
        self.remembered.is_empty()
    }

    /// Whether routes of both HTTP kinds want to be at a listener where one of these wants to be. Which of them are
    /// attached is then decided among all of them.
    pub(super) fn is_contested<'k>(&self, mut routes: impl Iterator<Item = &'k RouteKey>) -> bool {
        routes.any(|route| {
            let wanted = self.remembered.get(route).into_iter().flat_map(|it| it.wanted.iter());
            wanted
                .filter_map(|listener| self.http_kinds.get(listener))
                .any(|(http, grpc)| *http > 0 && *grpc > 0)
        })
    }

    /// Forgets what a route took part in.
    pub(super) fn forget(&mut self, key: &RouteKey) {
        let Some(before) = self.remembered.remove(key) else { return };
        for service in &*before.services {
            if let Some(routes) = self.by_service.get_mut(service) {
                routes.remove(key);
                if routes.is_empty() {
                    self.by_service.remove(service);
                }
            }
        }
        for listener in &*before.wanted {
            let (http, grpc) = self.http_kinds.entry(listener.clone()).or_default();
            let count = if key.kind == RouteKind::Http { http } else { grpc };
            *count = count.saturating_sub(1);
        }
        for listener in &*before.attached {
            let count = self.attached.entry(listener.clone()).or_default();
            *count = count.saturating_sub(1);
        }
        for gateway in &*before.gateways {
            let route = self.routes.get_mut(gateway).and_then(|routes| routes.remove(key));
            if let Some(route) = route {
                self.backends.remove_route(gateway, &route);
                self.earlier.entry(gateway.clone()).or_default().insert(key.clone(), route);
            }
        }
    }

    /// Nothing is to be said of a route.
    pub(super) fn be_silent(&mut self, key: &RouteKey) {
        self.statuses.remove(&status_key(key));
        self.findings.remove(key);
    }

    /// Remembers where a route wants to be, before the two HTTP kinds are set apart, and what it depends on.
    pub(super) fn want(
        &mut self,
        key: &RouteKey,
        services: BTreeSet<ObjectKey>,
        work: Option<&Work<'_, '_>>,
    ) {
        for service in &services {
            self.by_service.entry(service.clone()).or_default().insert(key.clone());
        }
        let contender = work.filter(|work| work.is_http() && !work.is_invalid());
        let wanted: BTreeSet<_> = contender.into_iter().flat_map(listeners).collect();
        for listener in &wanted {
            let (http, grpc) = self.http_kinds.entry(listener.clone()).or_default();
            *(if key.kind == RouteKind::Http { http } else { grpc }) += 1;
        }
        let services = shared(&mut self.last.services, services);
        let wanted = shared(&mut self.last.wanted, wanted);
        self.remembered.insert(key.clone(), Remembered { services, wanted, ..Remembered::default() });
    }

    /// Remembers where a route is attached. It counts once at a listener, however many references lead there.
    pub(super) fn attach(&mut self, key: &RouteKey, listeners: BTreeSet<ListenerIndex>) {
        for listener in &listeners {
            *self.attached.entry(listener.clone()).or_default() += 1;
        }
        if let Some(remembered) = self.remembered.get_mut(key) {
            remembered.attached = shared(&mut self.last.attached, listeners);
        }
    }

    /// Remembers which Gateways have a route in their configuration; then it is [`put`](Self::put) into each.
    pub(super) fn serve<'k>(&mut self, key: &RouteKey, gateways: impl Iterator<Item = &'k ObjectKey>) {
        if let Some(remembered) = self.remembered.get_mut(key) {
            remembered.gateways = shared(&mut self.last.gateways, gateways.cloned());
        }
    }

    /// Puts a route into the configuration of a Gateway: the one that was there before, if that is equal.
    pub(super) fn put(&mut self, gateway: &ObjectKey, route: Route) {
        let earlier = self.earlier.get(gateway).and_then(|routes| routes.get(&route.key));
        let route = match earlier {
            Some(earlier) if **earlier == route => Arc::clone(earlier),
            _ => Arc::new(route),
        };
        self.backends.add_route(gateway, &route);
        self.routes.entry(gateway.clone()).or_default().insert(route.key.clone(), route);
    }

    /// Number of routes that are attached to a listener.
    pub(super) fn attached_to(&self, listener: &ListenerIndex) -> usize {
        self.attached.get(listener).copied().unwrap_or_default()
    }

    /// The translation is done: what it may have shared with the one before, it shares.
    pub(super) fn finish(&mut self) {
        self.earlier.clear();
        self.shared_statuses.forget_unused();
    }
}

/// A list: the last one, if it is the same.
fn shared<T: Clone + PartialEq>(last: &mut Arc<[T]>, new: impl IntoIterator<Item = T>) -> Arc<[T]> {
    let new: Vec<_> = new.into_iter().collect();
    if **last != *new {
        *last = new.into();
    }
    Arc::clone(last)
}

fn listeners(work: &Work<'_, '_>) -> BTreeSet<ListenerIndex> {
    let attached = work.parents.iter().flat_map(|it| it.attached().iter().map(move |at| (it, at)));
    attached.map(|(it, at)| (it.parent.gateway.clone(), at.listener)).collect()
}

/// How statuses name a route.
pub(super) fn status_key(key: &RouteKey) -> (RouteKind, ObjectKey) {
    (key.kind, ObjectKey::new(&*key.name.namespace, &*key.name.name))
}
