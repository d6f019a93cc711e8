//! Routes of all kinds, seen as one.

use portway_api::core::{Condition, ObjectMeta};
use portway_api::object::ObjectRef;
use portway_api::reference::ParentReference;
use portway_api::resource::{DEFAULT_NAMESPACE, Resource};
use portway_api::route::{DefaultScope, RouteSpec, RouteStatus};
use portway_api::{GrpcRoute, HttpRoute, ObjectKey, Snapshot, TcpRoute, TlsRoute, UdpRoute};
use portway_config::{HostnamePattern, NamespacedName, RouteKey, RouteKind};

use super::rule::Translated;
use super::{http, l4};
use crate::backend::Traffic;
use crate::context::Context;
use crate::field::Field;
use crate::hostname;
use crate::precedence::{self, Precedence};
use crate::problem::Problems;

/// A route of any kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteView<'a> {
    /// Kind.
    pub(crate) kind: RouteKind,
    /// Metadata.
    pub(crate) metadata: &'a ObjectMeta,
    /// The parents that it names.
    pub(crate) parent_refs: &'a [ParentReference],
    /// The hostnames that it names.
    hostnames: &'a [String],
    /// Which default Gateways it wants.
    use_default_gateways: Option<DefaultScope>,
    status: Option<&'a RouteStatus>,
    source: Source<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Http(&'a HttpRoute),
    Grpc(&'a GrpcRoute),
    Tls(&'a TlsRoute),
    Tcp(&'a TcpRoute),
    Udp(&'a UdpRoute),
}

/// One route of the snapshot.
pub(crate) fn get<'a>(snapshot: &'a Snapshot, key: &RouteKey) -> Option<RouteView<'a>> {
    let name = ObjectKey::new(&*key.name.namespace, &*key.name.name);
    Some(match key.kind {
        RouteKind::Http => snapshot.http_routes.get(&name).map(|it| view(key.kind, it, Source::Http(it)))?,
        RouteKind::Grpc => snapshot.grpc_routes.get(&name).map(|it| view(key.kind, it, Source::Grpc(it)))?,
        RouteKind::Tls => snapshot.tls_routes.get(&name).map(|it| view(key.kind, it, Source::Tls(it)))?,
        RouteKind::Tcp => snapshot.tcp_routes.get(&name).map(|it| view(key.kind, it, Source::Tcp(it)))?,
        RouteKind::Udp => snapshot.udp_routes.get(&name).map(|it| view(key.kind, it, Source::Udp(it)))?,
    })
}

fn view<'a, S: RouteSpec>(kind: RouteKind, route: &'a Resource<S>, source: Source<'a>) -> RouteView<'a> {
    RouteView {
        kind,
        metadata: &route.metadata,
        parent_refs: route.spec.parent_refs(),
        hostnames: route.spec.hostnames(),
        use_default_gateways: route.spec.use_default_gateways(),
        status: route.status.as_ref(),
        source,
    }
}

impl<'a> RouteView<'a> {
    /// Namespace and name.
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey::of(self.metadata)
    }

    /// Namespace.
    pub(crate) fn namespace(&self) -> &'a str {
        self.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// Key in the configuration.
    pub(crate) fn config_key(&self) -> RouteKey {
        let ObjectKey { namespace, name } = self.key();
        RouteKey { kind: self.kind, name: NamespacedName::new(namespace, name) }
    }

    /// How messages and findings name it.
    pub(crate) fn object_ref(&self) -> ObjectRef {
        ObjectRef::namespaced(self.kind.as_str(), &self.key())
    }

    /// Rank among routes.
    pub(crate) fn precedence(&self) -> Precedence<'a> {
        Precedence::of(self.metadata)
    }

    /// Creation in seconds since 1970.
    pub(crate) fn created(&self) -> Option<i64> {
        precedence::created(self.metadata)
    }

    /// `metadata.generation`.
    pub(crate) fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }

    /// Whether it wants to attach to every default Gateway (GEP-3793).
    pub(crate) fn wants_default_gateways(&self) -> bool {
        self.use_default_gateways == Some(DefaultScope::All)
    }

    /// The conditions that stand in its status for a parent.
    pub(crate) fn previous_conditions(&self, parent: &ParentReference, controller: &str) -> &'a [Condition] {
        let parents = self.status.iter().flat_map(|status| &status.parents);
        let mut ours = parents.filter(|it| it.controller_name == controller && it.parent_ref == *parent);
        ours.next().map_or(&[], |it| it.conditions.as_slice())
    }

    /// The hostnames that it names; those that are none are reported.
    pub(crate) fn hostnames(&self, problems: &mut Problems) -> Vec<HostnamePattern> {
        let mut patterns = Vec::with_capacity(self.hostnames.len());
        for (index, text) in self.hostnames.iter().enumerate() {
            match hostname::parse(text) {
                Ok(pattern) if patterns.contains(&pattern) => {}
                Ok(pattern) => patterns.push(pattern),
                Err(fault) => {
                    problems.invalid(&Field::SPEC.item("hostnames", index), format!("`{text}` {fault}"));
                }
            }
        }
        patterns
    }

    /// Its rules, translated.
    pub(crate) fn rules(&self, context: &Context<'_>) -> Translated {
        match self.source {
            Source::Http(route) => http::http_rules(context, route),
            Source::Grpc(route) => http::grpc_rules(context, route),
            Source::Tls(route) => l4::rules(context, route, Traffic::Stream),
            Source::Tcp(route) => l4::rules(context, route, Traffic::Stream),
            Source::Udp(route) => l4::rules(context, route, Traffic::Datagrams),
        }
    }
}
