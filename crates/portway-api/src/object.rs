//! Any object that Portway reads.

use std::fmt;
use std::sync::Arc;

use crate::core::{
    ClusterTrustBundle, ConfigMap, Deployment, EndpointSlice, Endpoints, Namespace, ObjectMeta, Secret,
    Service,
};
use crate::resource::{ObjectKey, Resource, Spec};
use crate::{
    AddressPool, BackendTlsPolicy, Gateway, GatewayClass, GrpcRoute, HttpRoute, ListenerSet,
    PortwayParameters, ReferenceGrant, TcpRoute, TlsRoute, UdpRoute,
};

/// Any object that Portway reads. Cheap to clone: the object itself is shared.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each variant is named for the kind that it holds")]
pub enum Object {
    GatewayClass(Arc<GatewayClass>),
    Gateway(Arc<Gateway>),
    ListenerSet(Arc<ListenerSet>),
    HttpRoute(Arc<HttpRoute>),
    GrpcRoute(Arc<GrpcRoute>),
    TlsRoute(Arc<TlsRoute>),
    TcpRoute(Arc<TcpRoute>),
    UdpRoute(Arc<UdpRoute>),
    ReferenceGrant(Arc<ReferenceGrant>),
    BackendTlsPolicy(Arc<BackendTlsPolicy>),
    PortwayParameters(Arc<PortwayParameters>),
    AddressPool(Arc<AddressPool>),
    Namespace(Arc<Namespace>),
    Service(Arc<Service>),
    Secret(Arc<Secret>),
    ConfigMap(Arc<ConfigMap>),
    ClusterTrustBundle(Arc<ClusterTrustBundle>),
    EndpointSlice(Arc<EndpointSlice>),
    Endpoints(Arc<Endpoints>),
    Deployment(Arc<Deployment>),
}

/// A kind and the object of it: how findings and conditions name an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ObjectRef {
    /// Kind, in the API's spelling.
    pub kind: String,
    /// Namespace; absent for cluster-scoped kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl ObjectRef {
    /// A namespaced object.
    pub fn namespaced(kind: impl Into<String>, key: &ObjectKey) -> Self {
        Self { kind: kind.into(), namespace: Some(key.namespace.clone()), name: key.name.clone() }
    }

    /// A cluster-scoped object.
    pub fn cluster(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), namespace: None, name: name.into() }
    }

    /// The object itself.
    pub fn of<S: Spec>(object: &Resource<S>) -> Self {
        Self::namespaced(S::KIND, &object.key())
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

macro_rules! each_kind {
    ($self:expr, $it:ident => $body:expr) => {
        match $self {
            Object::GatewayClass($it) => $body,
            Object::Gateway($it) => $body,
            Object::ListenerSet($it) => $body,
            Object::HttpRoute($it) => $body,
            Object::GrpcRoute($it) => $body,
            Object::TlsRoute($it) => $body,
            Object::TcpRoute($it) => $body,
            Object::UdpRoute($it) => $body,
            Object::ReferenceGrant($it) => $body,
            Object::BackendTlsPolicy($it) => $body,
            Object::PortwayParameters($it) => $body,
            Object::AddressPool($it) => $body,
            Object::Namespace($it) => $body,
            Object::Service($it) => $body,
            Object::Secret($it) => $body,
            Object::ConfigMap($it) => $body,
            Object::ClusterTrustBundle($it) => $body,
            Object::EndpointSlice($it) => $body,
            Object::Endpoints($it) => $body,
            Object::Deployment($it) => $body,
        }
    };
}

impl Object {
    /// The kind, in the API's spelling.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::GatewayClass(_) => "GatewayClass",
            Self::Gateway(_) => "Gateway",
            Self::ListenerSet(_) => "ListenerSet",
            Self::HttpRoute(_) => "HTTPRoute",
            Self::GrpcRoute(_) => "GRPCRoute",
            Self::TlsRoute(_) => "TLSRoute",
            Self::TcpRoute(_) => "TCPRoute",
            Self::UdpRoute(_) => "UDPRoute",
            Self::ReferenceGrant(_) => "ReferenceGrant",
            Self::BackendTlsPolicy(_) => "BackendTLSPolicy",
            Self::PortwayParameters(_) => "PortwayParameters",
            Self::AddressPool(_) => "AddressPool",
            Self::Namespace(_) => "Namespace",
            Self::Service(_) => "Service",
            Self::Secret(_) => "Secret",
            Self::ConfigMap(_) => "ConfigMap",
            Self::ClusterTrustBundle(_) => "ClusterTrustBundle",
            Self::EndpointSlice(_) => "EndpointSlice",
            Self::Endpoints(_) => "Endpoints",
            Self::Deployment(_) => "Deployment",
        }
    }

    /// Whether objects of this kind stand outside of namespaces.
    pub fn is_cluster_scoped(&self) -> bool {
        matches!(
            self,
            Self::GatewayClass(_) | Self::Namespace(_) | Self::ClusterTrustBundle(_) | Self::AddressPool(_)
        )
    }

    /// The metadata.
    pub fn metadata(&self) -> &ObjectMeta {
        each_kind!(self, it => &it.metadata)
    }

    /// The metadata, to change. An object that others share is copied first.
    pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
        each_kind!(self, it => &mut Arc::make_mut(it).metadata)
    }

    /// Namespace and name; the namespace means nothing for cluster-scoped kinds.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::of(self.metadata())
    }

    /// How messages name this object.
    pub fn object_ref(&self) -> ObjectRef {
        let key = self.key();
        if self.is_cluster_scoped() {
            ObjectRef::cluster(self.kind(), key.name)
        } else {
            ObjectRef::namespaced(self.kind(), &key)
        }
    }
}
