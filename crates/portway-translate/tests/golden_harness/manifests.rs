//! The objects of a manifest. What cannot be read fails the test.
//!
//! They are read as they stand, without the rules that an API server has for them: translation must
//! not rely on somebody else having looked.

use portway_api::Object;
use portway_api::manifest::{Document, Problem, Source, decode, parse};
use serde::de::DeserializeOwned;

/// The objects of a text of several documents.
pub(crate) fn objects(source: &str, text: &str) -> Vec<Object> {
    let parsed = parse(&Source::new(source), text);
    refuse(&parsed.problems);
    parsed.documents.iter().map(object).collect()
}

fn refuse(problems: &[Problem]) {
    assert!(problems.is_empty(), "{}", problems.iter().map(|it| format!("{it}\n")).collect::<String>());
}

fn object(document: &Document) -> Object {
    match document.kind().unwrap_or_default() {
        "GatewayClass" => Object::GatewayClass(typed(document)),
        "Gateway" => Object::Gateway(typed(document)),
        "ListenerSet" => Object::ListenerSet(typed(document)),
        "HTTPRoute" => Object::HttpRoute(typed(document)),
        "GRPCRoute" => Object::GrpcRoute(typed(document)),
        "TLSRoute" => Object::TlsRoute(typed(document)),
        "TCPRoute" => Object::TcpRoute(typed(document)),
        "UDPRoute" => Object::UdpRoute(typed(document)),
        "ReferenceGrant" => Object::ReferenceGrant(typed(document)),
        "BackendTLSPolicy" => Object::BackendTlsPolicy(typed(document)),
        "Namespace" => Object::Namespace(typed(document)),
        "Service" => Object::Service(typed(document)),
        "Secret" => Object::Secret(typed(document)),
        "ConfigMap" => Object::ConfigMap(typed(document)),
        "ClusterTrustBundle" => Object::ClusterTrustBundle(typed(document)),
        "EndpointSlice" => Object::EndpointSlice(typed(document)),
        "Endpoints" => Object::Endpoints(typed(document)),
        "Deployment" => Object::Deployment(typed(document)),
        "PortwayParameters" => Object::PortwayParameters(typed(document)),
        "AddressPool" => Object::AddressPool(typed(document)),
        kind => panic!("{}: kind {kind:?} is unknown", document.origin.start()),
    }
}

fn typed<T: DeserializeOwned>(document: &Document) -> T {
    let (object, problems) = decode(document);
    refuse(&problems);
    object.unwrap()
}
