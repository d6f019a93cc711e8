use std::collections::BTreeSet;

use super::SUPPORTED;

/// All names in `pkg/features` of v1.7.0, those of meshes left out. With a new version of the API:
/// `grep -hoP 'Support\w+( FeatureName)? = "\K\w+' pkg/features/*.go | grep -v '^Mesh' | sort`.
const KNOWN: &str = "
    BackendTLSPolicy BackendTLSPolicySANValidation ClusterTrustBundle GRPCRoute
    GRPCRouteNamedRouteRule GRPCRouteRequestHeaderModifier Gateway GatewayAddressEmpty
    GatewayAddressRoutability GatewayAddressRoutabilityCluster GatewayBackendClientCertificate
    GatewayFrontendClientCertificateValidation
    GatewayFrontendClientCertificateValidationInsecureFallback GatewayHTTPListenerIsolation
    GatewayHTTPSListenerDetectMisdirectedRequests GatewayInfrastructure GatewayListenerFilters
    GatewayPort8080 GatewayRouteHostnameIntersectionPrecedence GatewayStaticAddresses HTTPRoute
    HTTPRoute303RedirectStatusCode HTTPRoute307RedirectStatusCode HTTPRoute308RedirectStatusCode
    HTTPRouteBackendProtocolH2C HTTPRouteBackendProtocolWebSocket
    HTTPRouteBackendRequestHeaderModification HTTPRouteBackendTimeout HTTPRouteBackendURLRewrite
    HTTPRouteCORS HTTPRouteDestinationPortMatching HTTPRouteHostRewrite HTTPRouteMethodMatching
    HTTPRouteNamedRouteRule HTTPRouteParentRefPort HTTPRoutePathRedirect HTTPRoutePathRewrite
    HTTPRoutePortRedirect HTTPRouteQueryParamMatching HTTPRouteRequestMirror
    HTTPRouteRequestMultipleMirrors HTTPRouteRequestPercentageMirror HTTPRouteRequestTimeout
    HTTPRouteResponseHeaderModification HTTPRouteRetryCodes HTTPRouteRetryConnectionError
    HTTPRouteSchemeRedirect ListenerSet ReferenceGrant TCPRoute TLSRoute TLSRouteModeMixed
    TLSRouteModeTerminate UDPRoute
";

/// Features that we do not claim, with the reason.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("GatewayAddressRoutabilityCluster", "needs a provisioner that can ask for a ClusterIP"),
    ("GatewayInfrastructure", "needs a provisioner that creates labelled objects"),
];

/// `status.supportedFeatures` takes no more (CRD, maxItems).
const MAX_FEATURES: usize = 64;

#[test]
fn the_list_is_sorted_and_fits_into_the_status() {
    assert!(SUPPORTED.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(SUPPORTED.len() <= MAX_FEATURES);
}

/// Every feature that the API knows is either claimed, or listed with the reason why it is not.
#[test]
fn every_feature_of_the_api_is_decided_upon() {
    let known: BTreeSet<_> = KNOWN.split_whitespace().collect();
    let unsupported = UNSUPPORTED.iter().map(|(name, _)| *name);
    let decided: Vec<_> = SUPPORTED.iter().copied().chain(unsupported).collect();
    assert_eq!(decided.iter().copied().collect::<BTreeSet<_>>(), known);
    assert_eq!(decided.len(), known.len(), "a feature is both claimed and not");
}
