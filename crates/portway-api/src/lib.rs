//! The Kubernetes objects that Portway reads, as types, and reading them from manifests.
//!
//! The types follow the Gateway API v1.7.0, both channels, field by field; a test walks the schema of
//! the CRDs and fails on a field that is neither modelled nor listed as ignored with its reason. Core
//! objects (Service, Secret, EndpointSlice, …) are those of `k8s-openapi`.
//!
//! Nothing here decides anything: what the objects mean is the business of `portway-translate`.

pub mod address_pool;
pub mod backend_tls_policy;
pub mod core;
pub mod filter;
pub mod gateway;
pub mod gateway_class;
pub mod grpc_route;
pub mod http_route;
pub mod l4_route;
pub mod listener;
pub mod listener_set;
pub mod manifest;
pub mod object;
pub mod portway_parameters;
pub mod reference;
pub mod reference_grant;
pub mod resource;
pub mod route;
pub mod snapshot;

pub use address_pool::AddressPool;
pub use backend_tls_policy::BackendTlsPolicy;
pub use gateway::Gateway;
pub use gateway_class::GatewayClass;
pub use grpc_route::GrpcRoute;
pub use http_route::HttpRoute;
pub use l4_route::{TcpRoute, TlsRoute, UdpRoute};
pub use listener_set::ListenerSet;
pub use object::Object;
pub use portway_parameters::PortwayParameters;
pub use reference_grant::ReferenceGrant;
pub use resource::{ObjectKey, Resource, Spec};
pub use snapshot::{ClusterScoped, Namespaced, Snapshot};
