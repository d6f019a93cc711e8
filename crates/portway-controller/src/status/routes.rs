//! Which statuses of routes are to be written.
//!
//! There may be thousands of routes, and with each change nearly all of them stay what they are, as does what is to be
//! said of them. So this goes along from state to state and looks at what is different alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portway_api::route::RouteStatus;
use portway_api::{
    GrpcRoute, HttpRoute, Namespaced, ObjectKey, Resource, Snapshot, Spec, TcpRoute, TlsRoute, UdpRoute,
};
use portway_config::RouteKind;
use portway_shared_map::SharedMap;
use portway_translate::{Controllers, Statuses};

use super::merge::merge;
use super::plan::{StatusPatch, replaced};

type Key = (RouteKind, ObjectKey);

/// Which statuses differ from what routes carry.
#[derive(Debug, Default)]
pub struct RoutePlan {
    http: Namespaced<HttpRoute>,
    grpc: Namespaced<GrpcRoute>,
    tls: Namespaced<TlsRoute>,
    tcp: Namespaced<TcpRoute>,
    udp: Namespaced<UdpRoute>,
    statuses: SharedMap<Key, Arc<RouteStatus>>,
    missing: BTreeMap<Key, StatusPatch>,
}

impl RoutePlan {
    /// Takes in a later state: the routes, and what is to be said of them. Yields all that differs. A route of which
    /// nothing is to be said any more must not keep what we said before.
    pub fn follow(
        &mut self,
        snapshot: &Snapshot,
        statuses: &Statuses,
        controllers: &Controllers,
    ) -> impl Iterator<Item = &StatusPatch> {
        let is_ours = |name: &str| controllers.include(name);
        for key in self.changed(snapshot, statuses) {
            let ours = statuses.routes.get(&key).map(|it| &**it);
            let patch = match key.0 {
                RouteKind::Http => patch(&snapshot.http_routes, &key.1, ours, is_ours),
                RouteKind::Grpc => patch(&snapshot.grpc_routes, &key.1, ours, is_ours),
                RouteKind::Tls => patch(&snapshot.tls_routes, &key.1, ours, is_ours),
                RouteKind::Tcp => patch(&snapshot.tcp_routes, &key.1, ours, is_ours),
                RouteKind::Udp => patch(&snapshot.udp_routes, &key.1, ours, is_ours),
            };
            match patch {
                Some(patch) => drop(self.missing.insert(key, patch)),
                None => drop(self.missing.remove(&key)),
            }
        }
        self.missing.values()
    }

    /// The routes that are not what they were, or of which something else is to be said.
    fn changed(&mut self, snapshot: &Snapshot, statuses: &Statuses) -> BTreeSet<Key> {
        let mut changed = BTreeSet::new();
        follow(&mut self.http, &snapshot.http_routes, RouteKind::Http, &mut changed);
        follow(&mut self.grpc, &snapshot.grpc_routes, RouteKind::Grpc, &mut changed);
        follow(&mut self.tls, &snapshot.tls_routes, RouteKind::Tls, &mut changed);
        follow(&mut self.tcp, &snapshot.tcp_routes, RouteKind::Tcp, &mut changed);
        follow(&mut self.udp, &snapshot.udp_routes, RouteKind::Udp, &mut changed);
        let before = std::mem::replace(&mut self.statuses, statuses.routes.clone());
        changed.extend(before.replaced(&statuses.routes).map(|it| it.key.clone()));
        changed
    }
}

fn follow<T>(seen: &mut Namespaced<T>, now: &Namespaced<T>, kind: RouteKind, changed: &mut BTreeSet<Key>) {
    let before = std::mem::replace(seen, now.clone());
    changed.extend(before.replaced(now).map(|it| (kind, it.key.clone())));
}

fn patch<S: Spec<Status = RouteStatus>>(
    routes: &Namespaced<Resource<S>>,
    key: &ObjectKey,
    ours: Option<&RouteStatus>,
    is_ours: impl Fn(&str) -> bool,
) -> Option<StatusPatch> {
    let route = routes.get(key)?;
    let current = route.status.as_ref().map(|it| it.parents.as_slice()).unwrap_or_default();
    let ours = ours.map(|it| it.parents.as_slice()).unwrap_or_default();
    merge(current, ours, is_ours).map(|parents| replaced(route, RouteStatus { parents }))
}
