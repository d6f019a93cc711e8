package own

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"

	"portway.dev/testbed/authserver/answer"
)

// HTTPRouteExternalAuthForwardBody is about the body that a server is sent. Of one that is too large the API says at
// `forwardBody` that it is refused with a 4xx, and at `forwardBody.maxSize`, with a note that this has yet to be checked,
// that it is truncated. The first is what GEP-1494 expects, and what protects.
var HTTPRouteExternalAuthForwardBody = suite.ConformanceTest{
	ShortName:   "HTTPRouteExternalAuthForwardBody",
	Description: "An ExternalAuth filter with forwardBody sends the server the body, and to the backend as well",
	Features:    []features.FeatureName{features.SupportGateway, features.SupportHTTPRoute},
	Manifests:   []string{"manifests/external-auth-forward-body.yaml"},
	Parallel:    true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		address := mustBeRouted(t, s, "same-namespace", "external-auth-forward-body")
		post := func(path, body string) h.Request {
			headers := map[string]string{"Authorization": "Bearer alice"}
			const host = "external-auth-forward-body.example.com"
			return h.Request{Host: host, Path: path, Method: "POST", Headers: headers, Body: body}
		}
		for _, path := range []string{"/http", "/grpc"} {
			t.Run(path+": a body up to maxSize is sent, and reaches the backend", func(t *testing.T) {
				for _, body := range []string{"short", strings.Repeat("x", 16)} {
					length := strconv.Itoa(len(body))
					exchange{
						Request: post(path, body),
						status:  http.StatusOK,
						atBackend: map[string]string{
							answer.SawBody: body, answer.SawLength: length, "Content-Length": length,
						},
					}.mustCome(t, s, address)
				}
			})
			t.Run(path+": a larger body is refused, and nobody is asked", func(t *testing.T) {
				large := exchange{Request: post(path, strings.Repeat("x", 17)), status: clientError}
				large.mustCome(t, s, address)
				large.mustAsk(t, s, address)
			})
		}
		t.Run("with a maxSize of 0 no body is sent", func(t *testing.T) {
			exchange{
				Request:   post("/zero", "short"),
				status:    http.StatusOK,
				atBackend: map[string]string{answer.SawBody: "", answer.SawLength: "0", "Content-Length": "5"},
			}.mustCome(t, s, address)
		})
	},
}
