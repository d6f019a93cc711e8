use std::collections::BTreeSet;

use super::{SUPPORTED, SUPPORTED_IN_CLUSTER, supported};
use crate::options::ClusterOptions;

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
    for cluster in [None, Some(ClusterOptions::default())] {
        let listed = supported(cluster.as_ref());
        assert!(listed.windows(2).all(|pair| pair[0] < pair[1]), "{listed:?}");
        assert!(listed.len() <= MAX_FEATURES);
    }
}

/// Every feature that the API knows is claimed, some of them in a cluster only.
#[test]
fn every_feature_of_the_api_is_decided_upon() {
    let known: BTreeSet<_> = KNOWN.split_whitespace().map(str::to_owned).collect();
    let cluster = ClusterOptions::default();
    assert_eq!(names(Some(&cluster)), known);
    let of_cluster: Vec<_> = names(Some(&cluster)).difference(&names(None)).cloned().collect();
    assert_eq!(of_cluster, SUPPORTED_IN_CLUSTER);
    assert_eq!(names(None).len(), SUPPORTED.len());
}

#[test]
fn what_the_cluster_has_no_api_for_is_not_claimed() {
    let lacking = ClusterOptions { lacks_trust_bundles: true, ..ClusterOptions::default() };
    let all = names(Some(&ClusterOptions::default()));
    let missing: Vec<_> = all.difference(&names(Some(&lacking))).cloned().collect();
    assert_eq!(missing, ["ClusterTrustBundle"]);
}

fn names(cluster: Option<&ClusterOptions>) -> BTreeSet<String> {
    supported(cluster).into_iter().map(|it| it.name).collect()
}
