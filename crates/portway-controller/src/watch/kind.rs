//! The kinds that are watched.

use kube::core::{ApiResource, GroupVersionKind};
use portway_api::address_pool::AddressPoolSpec;
use portway_api::portway_parameters::PortwayParametersSpec;
use portway_api::resource::{GATEWAY_GROUP, PORTWAY_GROUP};
use portway_api::{
    AddressPool, BackendTlsPolicy, Gateway, GatewayClass, GrpcRoute, HttpRoute, ListenerSet, Object,
    PortwayParameters, ReferenceGrant, Spec, TcpRoute, TlsRoute, UdpRoute,
    backend_tls_policy::BackendTlsPolicySpec, gateway::GatewaySpec, gateway_class::GatewayClassSpec,
    grpc_route::GrpcRouteSpec, http_route::HttpRouteSpec, l4_route::TcpRouteSpec, l4_route::TlsRouteSpec,
    l4_route::UdpRouteSpec, listener_set::ListenerSetSpec, reference_grant::ReferenceGrantSpec,
};
use serde::de::DeserializeOwned;
use serde_json::{Error, Value};
use std::sync::Arc;

/// A kind that is watched.
#[derive(Debug)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Versions that Portway reads, the preferred one first. All share one schema.
    pub versions: &'static [&'static str],
    /// Kind, in the API's spelling.
    pub kind: &'static str,
    /// The resource's name in URLs.
    pub plural: &'static str,
    /// Which objects are left at the API server.
    pub field_selector: Option<&'static str>,
    /// From JSON to the typed object.
    pub decode: fn(Value) -> Result<Object, Error>,
}

impl Kind {
    /// Whether the kind comes with a CRD, and may therefore be absent.
    pub fn is_custom(&self) -> bool {
        [GATEWAY_GROUP, PORTWAY_GROUP].contains(&self.group)
    }

    /// Whether it is Kubernetes' own and may be absent all the same: ClusterTrustBundles came with 1.37.
    pub fn is_optional(&self) -> bool {
        self.kind == "ClusterTrustBundle"
    }

    /// The name of its CRD.
    pub fn crd_name(&self) -> String {
        format!("{}.{}", self.plural, self.group)
    }

    /// How to reach it in `version`.
    pub fn resource(&self, version: &str) -> ApiResource {
        let gvk = GroupVersionKind::gvk(self.group, version, self.kind);
        ApiResource::from_gvk_with_plural(&gvk, self.plural)
    }

    /// The kind of this name.
    pub fn named(kind: &str) -> Option<&'static Self> {
        KINDS.iter().find(|it| it.kind == kind)
    }
}

fn decode<T: DeserializeOwned>(value: Value, into: impl FnOnce(Arc<T>) -> Object) -> Result<Object, Error> {
    serde_json::from_value(value).map(|object| into(Arc::new(object)))
}

/// A kind of the Gateway API: the variant of [`Object`], the type, the type of its spec, its plural.
macro_rules! gateway_api {
    ($type:ident, $spec:ty, $plural:literal) => {
        Kind {
            group: <$spec>::GROUP,
            versions: <$spec>::VERSIONS,
            kind: <$spec>::KIND,
            plural: $plural,
            field_selector: None,
            decode: |value| decode::<$type>(value, Object::$type),
        }
    };
}

/// A kind of Kubernetes' own.
macro_rules! kubernetes {
    ($group:literal, $variant:ident, $plural:literal, $selector:expr) => {
        Kind {
            group: $group,
            versions: &["v1"],
            kind: stringify!($variant),
            plural: $plural,
            field_selector: $selector,
            decode: |value| decode(value, Object::$variant),
        }
    };
}

/// Secrets that can hold no certificate, and that clusters have many of.
const SECRETS: &str = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token,\
                       type!=kubernetes.io/dockerconfigjson,type!=bootstrap.kubernetes.io/token";

/// Every kind that is watched.
pub static KINDS: &[Kind] = &[
    gateway_api!(GatewayClass, GatewayClassSpec, "gatewayclasses"),
    gateway_api!(Gateway, GatewaySpec, "gateways"),
    gateway_api!(ListenerSet, ListenerSetSpec, "listenersets"),
    gateway_api!(HttpRoute, HttpRouteSpec, "httproutes"),
    gateway_api!(GrpcRoute, GrpcRouteSpec, "grpcroutes"),
    gateway_api!(TlsRoute, TlsRouteSpec, "tlsroutes"),
    gateway_api!(TcpRoute, TcpRouteSpec, "tcproutes"),
    gateway_api!(UdpRoute, UdpRouteSpec, "udproutes"),
    gateway_api!(ReferenceGrant, ReferenceGrantSpec, "referencegrants"),
    gateway_api!(BackendTlsPolicy, BackendTlsPolicySpec, "backendtlspolicies"),
    gateway_api!(PortwayParameters, PortwayParametersSpec, "portwayparameters"),
    gateway_api!(AddressPool, AddressPoolSpec, "addresspools"),
    kubernetes!("", Namespace, "namespaces", None),
    kubernetes!("", Service, "services", None),
    kubernetes!("", Secret, "secrets", Some(SECRETS)),
    kubernetes!("", ConfigMap, "configmaps", None),
    kubernetes!("discovery.k8s.io", EndpointSlice, "endpointslices", None),
    kubernetes!("certificates.k8s.io", ClusterTrustBundle, "clustertrustbundles", None),
];
