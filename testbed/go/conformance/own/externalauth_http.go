package own

import (
	"net/http"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"

	"portway.dev/testbed/authserver/answer"
)

// HTTPRouteExternalAuthHTTP is about servers that are asked over HTTP.
var HTTPRouteExternalAuthHTTP = suite.ConformanceTest{
	ShortName:   "HTTPRouteExternalAuthHTTP",
	Description: "An HTTPRoute's ExternalAuth filter asks a server over HTTP, and obeys",
	Features:    []features.FeatureName{features.SupportGateway, features.SupportHTTPRoute},
	Manifests:   []string{"manifests/external-auth.yaml"},
	Parallel:    true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		address := mustBeRouted(t, s, "same-namespace", "external-auth")
		const host = "external-auth.example.com"
		alice := map[string]string{"Authorization": "Bearer alice"}

		t.Run("200 lets pass, and the answer's headers go to the backend", func(t *testing.T) {
			exchange{
				Request: h.Request{Host: host, Path: "/defaults/a?b=c", Method: "PUT", Headers: alice},
				status:  http.StatusOK,
				pod:     suite.InfraBackendServiceNameV1,
				atBackend: map[string]string{
					answer.By: "first", answer.User: "alice", answer.SawMethod: "PUT",
					answer.SawPath: "/defaults/a?b=c", answer.SawHost: host,
				},
			}.mustCome(t, s, address)
		})
		t.Run("every other status denies", func(t *testing.T) {
			statuses := map[string]int{
				"/defaults/status/201": anyError, "/defaults/status/204": anyError, "/defaults/status/401": clientError,
				"/defaults/status/403": clientError, "/defaults/status/404": anyError,
				"/defaults/status/500": anyError, "/defaults/status/503": anyError,
			}
			for path, status := range statuses {
				exchange{Request: h.Request{Host: host, Path: path, Headers: alice}, status: status}.
					mustCome(t, s, address)
			}
		})
		t.Run("without credentials, the client gets the server's refusal", func(t *testing.T) {
			exchange{
				Request:  h.Request{Host: host, Path: "/defaults"},
				status:   http.StatusUnauthorized,
				response: map[string]string{"WWW-Authenticate": answer.Challenge, answer.DeniedBy: "first"},
			}.mustCome(t, s, address)
		})
		t.Run("without allowedHeaders, only what must be sent is", func(t *testing.T) {
			headers := map[string]string{
				"Authorization": "Bearer alice", "X-Client-Id": "7", "Cookie": "a=b", answer.Trail: "forged",
			}
			exchange{
				Request: h.Request{Host: host, Path: "/defaults", Method: "POST", Body: "a body", Headers: headers},
				status:  http.StatusOK,
				atBackend: map[string]string{
					answer.SawHeaders: "authorization content-length", answer.SawLength: "0", answer.SawBody: "",
					answer.Trail: "first", "X-Client-Id": "7", "Content-Length": "6",
				},
			}.mustCome(t, s, address)
		})
		t.Run("allowedHeaders are sent besides, and allowedResponseHeaders alone are copied", func(t *testing.T) {
			headers := map[string]string{
				"Authorization": "Bearer alice", "x-client-id": "7", "X-Other": "8", answer.User: "forged",
				answer.By: "the client",
			}
			exchange{
				Request: h.Request{Host: host, Path: "/settings", Headers: headers},
				status:  http.StatusOK,
				atBackend: map[string]string{
					answer.SawHeaders: "authorization content-length x-client-id", answer.User: "alice",
					answer.By: "the client", answer.Trail: absent, answer.SawHost: absent,
				},
			}.mustCome(t, s, address)
		})
		t.Run("path is put before the client's", func(t *testing.T) {
			exchange{
				Request:   h.Request{Host: host, Path: "/settings/a?b=c", Headers: alice},
				status:    http.StatusOK,
				atBackend: map[string]string{answer.SawPath: "/check/settings/a?b=c"},
			}.mustCome(t, s, address)
		})
		t.Run("filters before it are run before it", func(t *testing.T) {
			exchange{
				Request:   h.Request{Host: host, Path: "/after-modifier"},
				status:    http.StatusOK,
				atBackend: map[string]string{answer.User: "route"},
			}.mustCome(t, s, address)
		})
		t.Run("with a BackendTLSPolicy, the server is asked over TLS", func(t *testing.T) {
			exchange{
				Request:   h.Request{Host: host, Path: "/https", Headers: alice},
				status:    http.StatusOK,
				atBackend: map[string]string{answer.By: "secret", answer.User: "alice"},
			}.mustCome(t, s, address)
			exchange{Request: h.Request{Host: host, Path: "/https"}, status: http.StatusUnauthorized}.
				mustCome(t, s, address)
		})
		t.Run("the server of the rule that matches is asked, once, and none for a rule without", func(t *testing.T) {
			asked := exchange{Request: h.Request{Host: host, Path: "/defaults", Headers: alice}, status: http.StatusOK}
			asked.mustAsk(t, s, address, "first")
			open := exchange{Request: h.Request{Host: host, Path: "/open"}, status: http.StatusOK}
			open.mustAsk(t, s, address)
		})
	},
}

// mustBeRouted waits until HTTPRoutes of the infrastructure namespace are accepted and resolved by a Gateway there, and
// gives the Gateway's address, with the port 80.
func mustBeRouted(t *testing.T, s *suite.ConformanceTestSuite, gateway string, routes ...string) string {
	t.Helper()
	parent := inInfra(gateway)
	names := make([]types.NamespacedName, len(routes))
	for i, route := range routes {
		names[i] = inInfra(route)
	}
	address := kubernetes.GatewayAndRoutesMustBeAccepted(t, s.Client, s.TimeoutConfig, s.ControllerName,
		kubernetes.NewGatewayRef(parent), &gatewayv1.HTTPRoute{}, false, names...)
	for _, route := range names {
		kubernetes.HTTPRouteMustHaveResolvedRefsConditionsTrue(t, s.Client, s.TimeoutConfig, route, parent)
	}
	return address
}

func inInfra(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: suite.InfrastructureNamespace, Name: name}
}
