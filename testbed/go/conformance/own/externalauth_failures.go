package own

import (
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// HTTPRouteExternalAuthFailures is about servers that cannot be asked: without a permission no request passes.
var HTTPRouteExternalAuthFailures = suite.ConformanceTest{
	ShortName:   "HTTPRouteExternalAuthFailures",
	Description: "Where the server of an ExternalAuth filter does not answer, or is not there, no request passes",
	Features: []features.FeatureName{
		features.SupportGateway, features.SupportHTTPRoute, features.SupportReferenceGrant,
		features.SupportHTTPRouteRequestTimeout,
	},
	Manifests: []string{"manifests/external-auth-failures.yaml"},
	Parallel:  true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		address := mustBeRouted(t, s, "same-namespace", "external-auth-failures")
		alice := map[string]string{"Authorization": "Bearer alice"}
		ask := func(host, path string, status int) exchange {
			return exchange{Request: h.Request{Host: host, Path: path, Headers: alice}, status: status}
		}
		const host = "external-auth-failures.example.com"

		t.Run("a server without endpoints", func(t *testing.T) {
			ask(host, "/nobody/http", anyError).mustCome(t, s, address)
			ask(host, "/nobody/grpc", anyError).mustCome(t, s, address)
		})
		t.Run("a server of another protocol", func(t *testing.T) {
			ask(host, "/other-protocol", anyError).mustCome(t, s, address)
		})
		t.Run("a server that does not answer", func(t *testing.T) {
			ask(host, "/http", http.StatusOK).mustCome(t, s, address)
			// Once, since each takes as long as the data plane waits.
			ask(host, "/http/hang", anyError).mustComeAtOnce(t, s, address)
			ask(host, "/grpc", http.StatusOK).mustCome(t, s, address)
			ask(host, "/grpc/hang", anyError).mustComeAtOnce(t, s, address)
		})
		t.Run("a server that does not answer within the request's time limit", func(t *testing.T) {
			ask(host, "/timeout/hang", http.StatusGatewayTimeout).mustCome(t, s, address)
		})
		t.Run("a Service that does not exist", func(t *testing.T) {
			mustNotResolve(t, s, "external-auth-missing", gatewayv1.RouteReasonBackendNotFound)
			ask("external-auth-missing.example.com", "/", anyError).mustCome(t, s, address)
		})
		t.Run("a Service of another namespace, without a ReferenceGrant", func(t *testing.T) {
			mustNotResolve(t, s, "external-auth-elsewhere", gatewayv1.RouteReasonRefNotPermitted)
			ask("external-auth-elsewhere.example.com", "/", anyError).mustCome(t, s, address)
		})
	},
}

func mustNotResolve(
	t *testing.T, s *suite.ConformanceTestSuite, route string, reason gatewayv1.RouteConditionReason,
) {
	t.Helper()
	kubernetes.HTTPRouteMustHaveCondition(t, s.Client, s.TimeoutConfig, inInfra(route), inInfra("same-namespace"),
		metav1.Condition{
			Type:   string(gatewayv1.RouteConditionResolvedRefs),
			Status: metav1.ConditionFalse,
			Reason: string(reason),
		})
}
