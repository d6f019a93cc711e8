//! The kinds that Portway reads, and what is made of others.

use std::sync::Arc;

use super::{
    decode::{Decoded, decode_what_fits},
    field_path::FieldPath,
    origin::Document,
    problem::{Problem, ProblemCode, Severity},
    wording::{did_you_mean, listed, nearest},
};
use crate::{
    Object,
    address_pool::AddressPoolSpec,
    backend_tls_policy::BackendTlsPolicySpec,
    gateway::GatewaySpec,
    gateway_class::GatewayClassSpec,
    grpc_route::GrpcRouteSpec,
    http_route::HttpRouteSpec,
    l4_route::{TcpRouteSpec, TlsRouteSpec, UdpRouteSpec},
    listener_set::ListenerSetSpec,
    portway_parameters::PortwayParametersSpec,
    reference_grant::ReferenceGrantSpec,
    resource::{GATEWAY_GROUP, Resource, Spec},
};

/// The group of the Gateway API's own experiments, none of which Portway implements.
const EXPERIMENTAL_GROUP: &str = "gateway.networking.x-k8s.io";

/// A kind that is read.
pub(super) struct Kind {
    group: &'static str,
    pub(super) kind: &'static str,
    /// The versions that are read, the preferred one first.
    versions: &'static [&'static str],
    decode: fn(&Document) -> Decoded<Object>,
}

/// A kind of the Gateway API or of Portway's own, by the variant of [`Object`] and the type of its spec.
macro_rules! gateway_api {
    ($variant:ident, $spec:ty) => {
        Kind {
            group: <$spec>::GROUP,
            kind: <$spec>::KIND,
            versions: <$spec>::VERSIONS,
            decode: |document| decode_what_fits::<Arc<Resource<$spec>>>(document).map(Object::$variant),
        }
    };
}

/// A kind of Kubernetes' own, by the variant of [`Object`], which is named for it.
macro_rules! kubernetes {
    ($group:literal, $variant:ident, $versions:expr) => {
        Kind {
            group: $group,
            kind: stringify!($variant),
            versions: $versions,
            decode: |document| decode_what_fits(document).map(Object::$variant),
        }
    };
}

/// Every kind that is read.
static KINDS: &[Kind] = &[
    gateway_api!(GatewayClass, GatewayClassSpec),
    gateway_api!(Gateway, GatewaySpec),
    gateway_api!(ListenerSet, ListenerSetSpec),
    gateway_api!(HttpRoute, HttpRouteSpec),
    gateway_api!(GrpcRoute, GrpcRouteSpec),
    gateway_api!(TlsRoute, TlsRouteSpec),
    gateway_api!(TcpRoute, TcpRouteSpec),
    gateway_api!(UdpRoute, UdpRouteSpec),
    gateway_api!(ReferenceGrant, ReferenceGrantSpec),
    gateway_api!(BackendTlsPolicy, BackendTlsPolicySpec),
    gateway_api!(PortwayParameters, PortwayParametersSpec),
    gateway_api!(AddressPool, AddressPoolSpec),
    kubernetes!("", Namespace, &["v1"]),
    kubernetes!("", Service, &["v1"]),
    kubernetes!("", Secret, &["v1"]),
    kubernetes!("", ConfigMap, &["v1"]),
    kubernetes!("", Endpoints, &["v1"]),
    kubernetes!("apps", Deployment, &["v1"]),
    kubernetes!("discovery.k8s.io", EndpointSlice, &["v1"]),
    // The versions differ in name only; clusters before 1.37 serve the older ones.
    kubernetes!("certificates.k8s.io", ClusterTrustBundle, &["v1", "v1beta1", "v1alpha1"]),
];

impl Kind {
    /// The kind of a document; a problem where it is not read.
    pub(super) fn of(document: &Document) -> Result<&'static Self, Box<Problem>> {
        let (api_version, name) = identity(document)?;
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let Some(kind) = KINDS.iter().find(|kind| kind.group == group && kind.kind == name) else {
            return Err(Box::new(not_read(document, group, api_version, name)));
        };
        if kind.versions.contains(&version) {
            return Ok(kind);
        }
        let served: Vec<_> = kind.versions.iter().map(|version| kind.api_version(version)).collect();
        let message = format!("there is no {name} in {api_version}; it is served in {}", listed(&served));
        let problem =
            at_field(document, "apiVersion", Severity::Error, ProblemCode::UnsupportedVersion, message);
        Err(Box::new(problem.help(format!("write `apiVersion: {}`", kind.api_version(kind.versions[0])))))
    }

    /// Reads a document of the kind.
    pub(super) fn decode(&self, document: &mut Document) -> Decoded<Object> {
        if self.group != GATEWAY_GROUP {
            // `k8s-openapi` takes the preferred version only, and does not keep it.
            document.value["apiVersion"] = self.api_version(self.versions[0]).into();
        }
        (self.decode)(document)
    }

    fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }
}

/// What a document says that it is.
fn identity(document: &Document) -> Result<(&str, &str), Box<Problem>> {
    let missing = |field: &'static str| {
        let message = format!("this is no Kubernetes object: it has no `{field}`");
        let problem = Problem::error(ProblemCode::NotAnObject, message).at(document.origin.start());
        Box::new(problem.of(document.label()))
    };
    let api_version = document.api_version().ok_or_else(|| missing("apiVersion"))?;
    let kind = document.kind().ok_or_else(|| missing("kind"))?;
    Ok((api_version, kind))
}

/// What to say of a kind that is not read: whether it is a slip, or simply not for us.
fn not_read(document: &Document, group: &str, api_version: &str, name: &str) -> Problem {
    let of_gateway_api = || KINDS.iter().filter(|kind| kind.group == GATEWAY_GROUP);
    let note = |severity, code, message| at_field(document, "kind", severity, code, message);
    let unknown = |message| note(Severity::Error, ProblemCode::UnknownKind, message);

    if group == GATEWAY_GROUP {
        let known: Vec<_> = of_gateway_api().map(|kind| kind.kind).collect();
        let help = did_you_mean(name, &known).unwrap_or_else(|| format!("the kinds are {}", listed(&known)));
        return unknown(format!("there is no kind {name} in {group}")).help(help);
    }
    if group == EXPERIMENTAL_GROUP {
        let message = format!(
            "{name} is an experiment of the Gateway API that Portway does not implement; it is ignored"
        );
        let problem = note(Severity::Warning, ProblemCode::IgnoredKind, message);
        let stable = name.strip_prefix('X').and_then(|name| of_gateway_api().find(|kind| kind.kind == name));
        return match stable {
            Some(kind) => {
                problem.help(format!("use {} of {}", kind.kind, kind.api_version(kind.versions[0])))
            }
            None => problem,
        };
    }
    let is_slip_of_group = group.is_empty() || nearest(group, &[GATEWAY_GROUP]).is_some();
    if let Some(kind) = of_gateway_api().find(|kind| kind.kind == name && is_slip_of_group) {
        let message = format!("there is no kind {name} in {api_version}");
        return unknown(message).help(format!("write `apiVersion: {}`", kind.api_version(kind.versions[0])));
    }
    let beside: Vec<_> = KINDS.iter().filter(|kind| kind.group == group).map(|kind| kind.kind).collect();
    let message = format!("Portway has no use for a {name} of {api_version}; it is ignored");
    match did_you_mean(name, &beside) {
        Some(help) => note(Severity::Warning, ProblemCode::IgnoredKind, message).help(help),
        None => note(Severity::Note, ProblemCode::IgnoredKind, message),
    }
}

fn at_field(
    document: &Document,
    field: &'static str,
    severity: Severity,
    code: ProblemCode,
    message: String,
) -> Problem {
    let field = FieldPath::root().child(field);
    let position = document.origin.value_position(&field);
    Problem::new(severity, code, message).of(document.label()).field(field).at(position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Source, parse};

    fn told(api_version: &str, kind: &str) -> String {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        let document = parse(&Source::new("x"), &text).documents.remove(0);
        match Kind::of(&document) {
            Ok(kind) => kind.kind.to_owned(),
            Err(problem) => {
                let help = problem.help.map(|help| format!(" ({help})")).unwrap_or_default();
                format!("{}[{}] {}{help}", problem.severity, problem.code, problem.message)
            }
        }
    }

    #[test]
    fn every_version_that_is_served_is_read() {
        for kind in KINDS {
            for version in kind.versions {
                assert_eq!(told(&kind.api_version(version), kind.kind), kind.kind);
            }
        }
    }

    #[test]
    fn tells_what_was_meant() {
        let gateway = "gateway.networking.k8s.io";
        for (api_version, kind, expected) in [
            (
                "gateway.networking.k8s.io/v1alpha2",
                "HTTPRoute",
                "error[unsupported-version] there is no HTTPRoute in gateway.networking.k8s.io/v1alpha2; it is served in \
                 `gateway.networking.k8s.io/v1`, `gateway.networking.k8s.io/v1beta1` (write `apiVersion: \
                 gateway.networking.k8s.io/v1`)",
            ),
            (
                "gateway.networking.k8s.io/v1",
                "HttpRoute",
                "error[unknown-kind] there is no kind HttpRoute in gateway.networking.k8s.io (did you mean `HTTPRoute`?)",
            ),
            (
                "v1",
                "HTTPRoute",
                "error[unknown-kind] there is no kind HTTPRoute in v1 (write `apiVersion: gateway.networking.k8s.io/v1`)",
            ),
            (
                "gateway.network.k8s.io/v1",
                "Gateway",
                "error[unknown-kind] there is no kind Gateway in gateway.network.k8s.io/v1 (write `apiVersion: \
                 gateway.networking.k8s.io/v1`)",
            ),
            (
                "networking.istio.io/v1",
                "Gateway",
                "note[ignored-kind] Portway has no use for a Gateway of networking.istio.io/v1; it is ignored",
            ),
            (
                "gateway.networking.x-k8s.io/v1alpha1",
                "XListenerSet",
                "warning[ignored-kind] XListenerSet is an experiment of the Gateway API that Portway does not implement; \
                 it is ignored (use ListenerSet of gateway.networking.k8s.io/v1)",
            ),
            (
                "v1",
                "Services",
                "warning[ignored-kind] Portway has no use for a Services of v1; it is ignored (did you mean `Service`?)",
            ),
            (
                "v1",
                "ServiceAccount",
                "note[ignored-kind] Portway has no use for a ServiceAccount of v1; it is ignored",
            ),
        ] {
            assert_eq!(told(api_version, kind), expected);
        }
        assert!(told(&format!("{gateway}/v1"), "Foo").contains("the kinds are `GatewayClass`, `Gateway`"));
    }
}
