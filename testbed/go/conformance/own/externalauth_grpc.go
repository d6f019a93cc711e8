package own

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/conformance/utils/tlog"
	"sigs.k8s.io/gateway-api/pkg/features"

	"portway.dev/testbed/authserver/answer"
)

// HTTPRouteExternalAuthGRPC is about servers that are asked over gRPC.
var HTTPRouteExternalAuthGRPC = suite.ConformanceTest{
	ShortName:   "HTTPRouteExternalAuthGRPC",
	Description: "An HTTPRoute's ExternalAuth filter asks a server by Envoy's gRPC protocol, and obeys",
	Features:    []features.FeatureName{features.SupportGateway, features.SupportHTTPRoute},
	Manifests:   []string{"manifests/external-auth-grpc.yaml"},
	Parallel:    true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		address := mustBeRouted(t, s, "same-namespace", "external-auth-grpc")
		const host = "external-auth-grpc.example.com"
		headers := map[string]string{
			"Authorization": "Bearer alice", "X-Client-Id": "7", "X-Other": "8", answer.Removed: "here",
		}

		t.Run("OK lets pass, with the changes that the answer names", func(t *testing.T) {
			exchange{
				Request:  h.Request{Host: host, Path: "/defaults/a?b=c", Method: "PUT", Headers: headers},
				status:   http.StatusOK,
				pod:      suite.InfraBackendServiceNameV1,
				response: map[string]string{answer.Response: "rpc"},
				atBackend: map[string]string{
					answer.By: "rpc", answer.User: "alice", answer.SawMethod: "PUT", answer.SawPath: "/defaults/a?b=c",
					answer.SawHost: host, answer.Removed: absent, "X-Other": "8",
				},
			}.mustCome(t, s, address)
		})
		t.Run("a denial's status, headers and body reach the client", func(t *testing.T) {
			denied := exchange{
				Request:  h.Request{Host: host, Path: "/defaults"},
				status:   http.StatusUnauthorized,
				response: map[string]string{"WWW-Authenticate": answer.Challenge, answer.DeniedBy: "rpc"},
				length:   int64(len("denied by rpc")),
			}
			denied.mustCome(t, s, address)
			denied.Path, denied.status = "/defaults/status/429", http.StatusTooManyRequests
			denied.response = map[string]string{answer.DeniedBy: "rpc"}
			denied.mustCome(t, s, address)
		})
		t.Run("without allowedHeaders, all headers are sent", func(t *testing.T) {
			mustSee(t, s, address, h.Request{Host: host, Path: "/defaults", Headers: headers},
				"authorization", "x-client-id", "x-other", "user-agent")
		})
		t.Run("with allowedHeaders, only these are sent", func(t *testing.T) {
			exchange{
				Request:   h.Request{Host: host, Path: "/settings", Headers: headers},
				status:    http.StatusOK,
				atBackend: map[string]string{answer.SawHeaders: "authorization x-client-id", "X-Other": "8"},
			}.mustCome(t, s, address)
		})
		t.Run("the server is asked once", func(t *testing.T) {
			exchange{Request: h.Request{Host: host, Path: "/defaults", Headers: headers}, status: http.StatusOK}.
				mustAsk(t, s, address, "rpc")
		})
	},
}

// mustSee sends the request until the authorization server has seen at least these headers.
func mustSee(t *testing.T, s *suite.ConformanceTestSuite, address string, request h.Request, names ...string) {
	t.Helper()
	sent := exchange{Request: request}.request(t, address)
	h.AwaitConvergence(t, s.TimeoutConfig, func(elapsed time.Duration) bool {
		seen, _, err := s.RoundTripper.CaptureRoundTrip(sent)
		if err == nil {
			saw := fmt.Sprint(seen.Headers[answer.SawHeaders])
			for _, name := range names {
				if !strings.Contains(saw, name) {
					err = fmt.Errorf("the server has not seen %s, but %s", name, saw)
				}
			}
		}
		if err != nil {
			tlog.Logf(t, "not as expected yet: %v (after %v)", err, elapsed)
		}
		return err == nil
	})
}
