//! The rules that an API server would enforce: in standalone mode nobody else does.
//!
//! They are those of the CRDs of v1.7.0, experimental channel, written by hand: lengths, numbers, forms of texts, unions
//! and whatever else the CRDs say in schema and CEL. A test holds them against the CRDs themselves.

mod check;
mod core;
mod filter;
mod gateway;
mod grpc_route;
mod http_route;
mod l4_route;
mod listener;
mod metadata;
mod policy;
mod reference;
mod route;
mod syntax;
#[cfg(test)]
mod tests;

use self::check::{Check, Validate};
use super::{origin::Document, problem::Problem};
use crate::Object;

/// The rules that an object breaks. Of `document` only the names and places are used.
pub(super) fn validate(object: &Object, document: &Document) -> Vec<Problem> {
    let mut check = Check::new(document);
    metadata::metadata(object, &mut check);
    match object {
        Object::GatewayClass(it) => check.value("spec", &it.spec),
        Object::Gateway(it) => check.value("spec", &it.spec),
        Object::ListenerSet(it) => check.value("spec", &it.spec),
        Object::HttpRoute(it) => check.value("spec", &it.spec),
        Object::GrpcRoute(it) => check.value("spec", &it.spec),
        Object::TlsRoute(it) => check.value("spec", &it.spec),
        Object::TcpRoute(it) => check.value("spec", &it.spec),
        Object::UdpRoute(it) => check.value("spec", &it.spec),
        Object::ReferenceGrant(it) => check.value("spec", &it.spec),
        Object::BackendTlsPolicy(it) => check.value("spec", &it.spec),
        Object::Service(it) => it.validate(&mut check),
        Object::EndpointSlice(it) => it.validate(&mut check),
        Object::Endpoints(it) => it.validate(&mut check),
        // Nothing beside the metadata that would matter here; what is Portway's own acts in a cluster only.
        Object::Namespace(_)
        | Object::Secret(_)
        | Object::ConfigMap(_)
        | Object::ClusterTrustBundle(_)
        | Object::PortwayParameters(_)
        | Object::AddressPool(_)
        | Object::Deployment(_) => {}
    }
    check.into_problems()
}
