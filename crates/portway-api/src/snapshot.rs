//! All objects at one moment: the input of translation.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::{
    ClusterTrustBundle, ConfigMap, Deployment, EndpointSlice, Endpoints, Namespace, Secret, Service,
};
use crate::{
    BackendTlsPolicy, Gateway, GatewayClass, GrpcRoute, HttpRoute, ListenerSet, Object, ObjectKey,
    ReferenceGrant, TcpRoute, TlsRoute, UdpRoute,
};

/// Namespaced objects of one kind.
pub type Namespaced<T> = BTreeMap<ObjectKey, Arc<T>>;

/// Cluster-scoped objects of one kind, by name.
pub type ClusterScoped<T> = BTreeMap<String, Arc<T>>;

/// All objects at one moment. Cheap to clone part by part: objects are shared.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "each field is named for the kind that it holds")]
pub struct Snapshot {
    pub gateway_classes: ClusterScoped<GatewayClass>,
    pub gateways: Namespaced<Gateway>,
    pub listener_sets: Namespaced<ListenerSet>,
    pub http_routes: Namespaced<HttpRoute>,
    pub grpc_routes: Namespaced<GrpcRoute>,
    pub tls_routes: Namespaced<TlsRoute>,
    pub tcp_routes: Namespaced<TcpRoute>,
    pub udp_routes: Namespaced<UdpRoute>,
    pub reference_grants: Namespaced<ReferenceGrant>,
    pub backend_tls_policies: Namespaced<BackendTlsPolicy>,
    pub namespaces: ClusterScoped<Namespace>,
    pub services: Namespaced<Service>,
    pub secrets: Namespaced<Secret>,
    pub config_maps: Namespaced<ConfigMap>,
    pub cluster_trust_bundles: ClusterScoped<ClusterTrustBundle>,
    pub endpoint_slices: Namespaced<EndpointSlice>,
    pub endpoints: Namespaced<Endpoints>,
    pub deployments: Namespaced<Deployment>,
}

impl Snapshot {
    /// Adds an object. One that has the same kind and key is replaced and returned as `true`.
    pub fn insert(&mut self, object: Object) -> bool {
        fn add<T>(into: &mut Namespaced<T>, key: ObjectKey, object: T) -> bool {
            into.insert(key, Arc::new(object)).is_some()
        }
        fn add_cluster<T>(into: &mut ClusterScoped<T>, key: ObjectKey, object: T) -> bool {
            into.insert(key.name, Arc::new(object)).is_some()
        }
        let key = object.key();
        match object {
            Object::GatewayClass(it) => add_cluster(&mut self.gateway_classes, key, it),
            Object::Gateway(it) => add(&mut self.gateways, key, it),
            Object::ListenerSet(it) => add(&mut self.listener_sets, key, it),
            Object::HttpRoute(it) => add(&mut self.http_routes, key, it),
            Object::GrpcRoute(it) => add(&mut self.grpc_routes, key, it),
            Object::TlsRoute(it) => add(&mut self.tls_routes, key, it),
            Object::TcpRoute(it) => add(&mut self.tcp_routes, key, it),
            Object::UdpRoute(it) => add(&mut self.udp_routes, key, it),
            Object::ReferenceGrant(it) => add(&mut self.reference_grants, key, it),
            Object::BackendTlsPolicy(it) => add(&mut self.backend_tls_policies, key, it),
            Object::Namespace(it) => add_cluster(&mut self.namespaces, key, it),
            Object::Service(it) => add(&mut self.services, key, it),
            Object::Secret(it) => add(&mut self.secrets, key, it),
            Object::ConfigMap(it) => add(&mut self.config_maps, key, it),
            Object::ClusterTrustBundle(it) => add_cluster(&mut self.cluster_trust_bundles, key, it),
            Object::EndpointSlice(it) => add(&mut self.endpoint_slices, key, it),
            Object::Endpoints(it) => add(&mut self.endpoints, key, it),
            Object::Deployment(it) => add(&mut self.deployments, key, it),
        }
    }
}
