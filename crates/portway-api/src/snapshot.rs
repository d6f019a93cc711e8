//! All objects at one moment: the input of translation.

use std::sync::Arc;

use portway_shared_map::SharedMap;

use crate::core::{
    ClusterTrustBundle, ConfigMap, Deployment, EndpointSlice, Endpoints, Namespace, Secret, Service,
};
use crate::{
    AddressPool, BackendTlsPolicy, Gateway, GatewayClass, GrpcRoute, HttpRoute, ListenerSet, Object,
    ObjectKey, PortwayParameters, ReferenceGrant, TcpRoute, TlsRoute, UdpRoute, object::ObjectRef,
};

/// Namespaced objects of one kind.
pub type Namespaced<T> = SharedMap<ObjectKey, Arc<T>>;

/// Cluster-scoped objects of one kind, by name.
pub type ClusterScoped<T> = SharedMap<String, Arc<T>>;

/// All objects at one moment. Cheap to clone, and to compare with a later state: whatever is the same is shared.
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
    pub portway_parameters: Namespaced<PortwayParameters>,
    pub address_pools: ClusterScoped<AddressPool>,
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
        fn add<T>(into: &mut Namespaced<T>, key: ObjectKey, object: Arc<T>) -> bool {
            into.insert(key, object).is_some()
        }
        fn add_cluster<T>(into: &mut ClusterScoped<T>, key: ObjectKey, object: Arc<T>) -> bool {
            into.insert(key.name, object).is_some()
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
            Object::PortwayParameters(it) => add(&mut self.portway_parameters, key, it),
            Object::AddressPool(it) => add_cluster(&mut self.address_pools, key, it),
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

    /// Takes an object out. Returns whether it was there.
    pub fn remove(&mut self, object: &ObjectRef) -> bool {
        let name = &object.name;
        let key = ObjectKey::new(object.namespace.clone().unwrap_or_default(), name.as_str());
        match object.kind.as_str() {
            "GatewayClass" => self.gateway_classes.remove(name).is_some(),
            "Gateway" => self.gateways.remove(&key).is_some(),
            "ListenerSet" => self.listener_sets.remove(&key).is_some(),
            "HTTPRoute" => self.http_routes.remove(&key).is_some(),
            "GRPCRoute" => self.grpc_routes.remove(&key).is_some(),
            "TLSRoute" => self.tls_routes.remove(&key).is_some(),
            "TCPRoute" => self.tcp_routes.remove(&key).is_some(),
            "UDPRoute" => self.udp_routes.remove(&key).is_some(),
            "ReferenceGrant" => self.reference_grants.remove(&key).is_some(),
            "BackendTLSPolicy" => self.backend_tls_policies.remove(&key).is_some(),
            "PortwayParameters" => self.portway_parameters.remove(&key).is_some(),
            "AddressPool" => self.address_pools.remove(name).is_some(),
            "Namespace" => self.namespaces.remove(name).is_some(),
            "Service" => self.services.remove(&key).is_some(),
            "Secret" => self.secrets.remove(&key).is_some(),
            "ConfigMap" => self.config_maps.remove(&key).is_some(),
            "ClusterTrustBundle" => self.cluster_trust_bundles.remove(name).is_some(),
            "EndpointSlice" => self.endpoint_slices.remove(&key).is_some(),
            "Endpoints" => self.endpoints.remove(&key).is_some(),
            "Deployment" => self.deployments.remove(&key).is_some(),
            _ => false,
        }
    }

    /// Takes over an object of another snapshot; the two share it. Returns whether it is there.
    pub fn share(&mut self, other: &Self, object: &ObjectRef) -> bool {
        fn take<K: Ord + Clone, T>(
            into: &mut SharedMap<K, Arc<T>>,
            from: &SharedMap<K, Arc<T>>,
            key: &K,
        ) -> bool {
            let Some(object) = from.get(key) else { return false };
            into.insert(key.clone(), Arc::clone(object));
            true
        }
        let name = &object.name;
        let key = ObjectKey::new(object.namespace.clone().unwrap_or_default(), name.as_str());
        match object.kind.as_str() {
            "GatewayClass" => take(&mut self.gateway_classes, &other.gateway_classes, name),
            "Gateway" => take(&mut self.gateways, &other.gateways, &key),
            "ListenerSet" => take(&mut self.listener_sets, &other.listener_sets, &key),
            "HTTPRoute" => take(&mut self.http_routes, &other.http_routes, &key),
            "GRPCRoute" => take(&mut self.grpc_routes, &other.grpc_routes, &key),
            "TLSRoute" => take(&mut self.tls_routes, &other.tls_routes, &key),
            "TCPRoute" => take(&mut self.tcp_routes, &other.tcp_routes, &key),
            "UDPRoute" => take(&mut self.udp_routes, &other.udp_routes, &key),
            "ReferenceGrant" => take(&mut self.reference_grants, &other.reference_grants, &key),
            "BackendTLSPolicy" => take(&mut self.backend_tls_policies, &other.backend_tls_policies, &key),
            "PortwayParameters" => take(&mut self.portway_parameters, &other.portway_parameters, &key),
            "AddressPool" => take(&mut self.address_pools, &other.address_pools, name),
            "Namespace" => take(&mut self.namespaces, &other.namespaces, name),
            "Service" => take(&mut self.services, &other.services, &key),
            "Secret" => take(&mut self.secrets, &other.secrets, &key),
            "ConfigMap" => take(&mut self.config_maps, &other.config_maps, &key),
            "ClusterTrustBundle" => take(&mut self.cluster_trust_bundles, &other.cluster_trust_bundles, name),
            "EndpointSlice" => take(&mut self.endpoint_slices, &other.endpoint_slices, &key),
            "Endpoints" => take(&mut self.endpoints, &other.endpoints, &key),
            "Deployment" => take(&mut self.deployments, &other.deployments, &key),
            _ => false,
        }
    }
}
