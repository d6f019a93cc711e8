//! Features of the Gateway API's conformance suite that Portway supports.

use portway_api::gateway_class::SupportedFeature;

use crate::options::ClusterOptions;

/// Names of the features that Portway supports everywhere, sorted as a GatewayClass must list them. Source: `pkg/features` of v1.7.0.
pub(crate) const SUPPORTED: &[&str] = &[
    "BackendTLSPolicy",
    "BackendTLSPolicySANValidation",
    "ClusterTrustBundle",
    "GRPCRoute",
    "GRPCRouteNamedRouteRule",
    "GRPCRouteRequestHeaderModifier",
    "Gateway",
    "GatewayAddressEmpty",
    "GatewayAddressRoutability",
    "GatewayBackendClientCertificate",
    "GatewayFrontendClientCertificateValidation",
    "GatewayFrontendClientCertificateValidationInsecureFallback",
    "GatewayHTTPListenerIsolation",
    "GatewayHTTPSListenerDetectMisdirectedRequests",
    "GatewayListenerFilters",
    "GatewayPort8080",
    "GatewayRouteHostnameIntersectionPrecedence",
    "GatewayStaticAddresses",
    "HTTPRoute",
    "HTTPRoute303RedirectStatusCode",
    "HTTPRoute307RedirectStatusCode",
    "HTTPRoute308RedirectStatusCode",
    "HTTPRouteBackendProtocolH2C",
    "HTTPRouteBackendProtocolWebSocket",
    "HTTPRouteBackendRequestHeaderModification",
    "HTTPRouteBackendTimeout",
    "HTTPRouteBackendURLRewrite",
    "HTTPRouteCORS",
    "HTTPRouteDestinationPortMatching",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteNamedRouteRule",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestMultipleMirrors",
    "HTTPRouteRequestPercentageMirror",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteRetryCodes",
    "HTTPRouteRetryConnectionError",
    "HTTPRouteSchemeRedirect",
    "ListenerSet",
    "ReferenceGrant",
    "TCPRoute",
    "TLSRoute",
    "TLSRouteModeMixed",
    "TLSRouteModeTerminate",
    "UDPRoute",
];

/// Names of the features that need what only a cluster has: a provisioner that can ask for a ClusterIP (GEP-5093), and
/// objects to put labels on (GEP-1762).
pub(crate) const SUPPORTED_IN_CLUSTER: &[&str] =
    &["GatewayAddressRoutabilityCluster", "GatewayInfrastructure"];

/// Of these, what needs an API of Kubernetes that not every cluster has: it must be advertised only where it is there (GEP-5075).
const TRUST_BUNDLES: &str = "ClusterTrustBundle";

/// As a GatewayClass lists them.
pub(crate) fn supported(cluster: Option<&ClusterOptions>) -> Vec<SupportedFeature> {
    let of_cluster = SUPPORTED_IN_CLUSTER.iter().filter(|_| cluster.is_some());
    let lacks_trust_bundles = cluster.is_some_and(|it| it.lacks_trust_bundles);
    let is_there = |name: &&&str| !(lacks_trust_bundles && **name == TRUST_BUNDLES);
    let mut names: Vec<_> = SUPPORTED.iter().chain(of_cluster).filter(is_there).collect();
    names.sort();
    names.into_iter().map(|name| SupportedFeature { name: (*name).to_owned() }).collect()
}

#[cfg(test)]
mod tests;
