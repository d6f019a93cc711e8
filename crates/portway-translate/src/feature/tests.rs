use std::collections::BTreeSet;

use super::{SUPPORTED, SUPPORTED_IN_CLUSTER, supported};

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

/// `status.supportedFeatures` takes no more (CRD, maxItems).
const MAX_FEATURES: usize = 64;

#[test]
fn the_list_is_sorted_and_fits_into_the_status() {
    for in_cluster in [false, true] {
        let listed = supported(in_cluster);
        assert!(listed.windows(2).all(|pair| pair[0] < pair[1]), "{listed:?}");
        assert!(listed.len() <= MAX_FEATURES);
    }
}

/// Every feature that the API knows is claimed, some of them in a cluster only.
#[test]
fn every_feature_of_the_api_is_decided_upon() {
    let known: BTreeSet<_> = KNOWN.split_whitespace().map(str::to_owned).collect();
    let names = |in_cluster| supported(in_cluster).into_iter().map(|it| it.name).collect::<BTreeSet<_>>();
    assert_eq!(names(true), known);
    let of_cluster: Vec<_> = names(true).difference(&names(false)).cloned().collect();
    assert_eq!(of_cluster, SUPPORTED_IN_CLUSTER);
    assert_eq!(names(false).len(), SUPPORTED.len());
}
