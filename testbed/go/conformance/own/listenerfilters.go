package own

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	pb "sigs.k8s.io/gateway-api-conformance-images/echo-basic/grpcechoserver"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/utils/grpc"
	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"

	"portway.dev/testbed/authserver/answer"
)

// GatewayListenerFilters is about filters that run before the route is chosen. GEP-5224 would have a filter that sets
// headers, which the suite of v1.7.0 does not define; two authorization servers that answer with headers show the same.
var GatewayListenerFilters = suite.ConformanceTest{
	ShortName:   "GatewayListenerFilters",
	Description: "A listener's filters run in their order for each of its requests, once, before the route is chosen",
	Features: []features.FeatureName{
		features.SupportGateway, features.SupportHTTPRoute, features.SupportGRPCRoute, features.SupportListenerSet,
		features.SupportGatewayListenerFilters,
	},
	Manifests: []string{"manifests/listener-filters.yaml"},
	Parallel:  true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		address := mustBeRouted(t, s, "listener-filters", "listener-filters", "listener-filters-hijacked",
			"listener-filters-alice", "listener-filters-bob")
		t.Run("healthy filters leave the standard conditions", func(t *testing.T) { mustBeHealthy(t, s) })
		t.Run("order and phases", func(t *testing.T) { listenerFilterOrder(t, s, address) })
		t.Run("routes are chosen after them", func(t *testing.T) { listenerFilterIdentity(t, s, address) })
		t.Run("a denial ends it", func(t *testing.T) { listenerFilterDenial(t, s, address) })
		t.Run("kinds of listeners and routes", func(t *testing.T) { listenerFilterKinds(t, s, address) })
	},
}

// withToken is a request with credentials.
func withToken(user, host, path string) exchange {
	return exchange{
		Request: h.Request{Host: host, Path: path, Headers: map[string]string{"Authorization": "Bearer " + user}},
		status:  http.StatusOK,
	}
}

func mustBeHealthy(t *testing.T, s *suite.ConformanceTestSuite) {
	gateway := &gatewayv1.Gateway{}
	require.NoError(t, s.Client.Get(t.Context(), inInfra("listener-filters"), gateway))
	require.Len(t, gateway.Status.Listeners, len(gateway.Spec.Listeners))
	for _, listener := range gateway.Status.Listeners {
		for _, condition := range listener.Conditions {
			require.NotContainsf(t, condition.Reason, "Filter", "listener %s, %s", listener.Name, condition.Type)
		}
	}
}

func listenerFilterOrder(t *testing.T, s *suite.ConformanceTestSuite, address string) {
	const ordered, reversed = "ordered.example.com", "reversed.example.com"
	t.Run("they run in the order of the list, none left out or merged with another", func(t *testing.T) {
		trail := withToken("alice", ordered, "/plain")
		trail.atBackend = map[string]string{answer.Trail: "first,second,second,rpc", answer.By: "rpc"}
		trail.mustCome(t, s, address)
		trail.mustAsk(t, s, address, "first", "second", "second", "rpc")
	})
	t.Run("the reverse order gives the reverse result", func(t *testing.T) {
		trail := withToken("alice", reversed, "/plain")
		trail.atBackend = map[string]string{answer.Trail: "rpc,second,first", answer.By: "first"}
		trail.mustCome(t, s, address)
		trail.mustAsk(t, s, address, "rpc", "second", "first")
	})
	t.Run("a route's filter of the same type runs as well, after them", func(t *testing.T) {
		both := withToken("alice", reversed, "/filtered")
		both.atBackend = map[string]string{answer.Trail: "rpc,second,first,third"}
		both.mustCome(t, s, address)
		both.mustAsk(t, s, address, "rpc", "second", "first", "third")
	})
	t.Run("they run where no route matches, too", func(t *testing.T) {
		nowhere := withToken("alice", reversed, "/nowhere")
		nowhere.status = http.StatusNotFound
		nowhere.mustCome(t, s, address)
		nowhere.mustAsk(t, s, address, "rpc", "second", "first")
	})
	t.Run("another listener of the port has none", func(t *testing.T) {
		open := exchange{Request: h.Request{Host: "open.example.com", Path: "/plain"}, status: http.StatusOK}
		open.mustCome(t, s, address)
		open.mustAsk(t, s, address)
	})
}

func listenerFilterIdentity(t *testing.T, s *suite.ConformanceTestSuite, address string) {
	const host = "identity.example.com"
	t.Run("by a header that a filter has set", func(t *testing.T) {
		for user, pod := range map[string]string{"alice": "infra-backend-v1", "bob": "infra-backend-v2"} {
			request := withToken(user, host, "/")
			request.pod = pod
			request.mustCome(t, s, address)
			request.mustAsk(t, s, address, "first")
		}
		nobody := withToken("carol", host, "/")
		nobody.status = http.StatusNotFound
		nobody.mustCome(t, s, address)
	})
	t.Run("and not by what the client has set", func(t *testing.T) {
		forged := withToken("alice", host, "/")
		forged.Headers[answer.User] = "bob"
		forged.pod = "infra-backend-v1"
		forged.mustCome(t, s, address)
	})
	t.Run("a filter cannot change the host", func(t *testing.T) {
		// Over HTTP by a header Host, over gRPC by host and :authority. Each exchange compares the host at the backend.
		for _, host := range []string{"ordered.example.com", "reversed.example.com"} {
			request := withToken("alice", host, "/plain")
			request.pod = "infra-backend-v1"
			request.mustCome(t, s, address)
		}
	})
}

func listenerFilterDenial(t *testing.T, s *suite.ConformanceTestSuite, address string) {
	t.Run("the client gets the filter's answer, and no later filter runs", func(t *testing.T) {
		denied := exchange{
			Request:  h.Request{Host: "ordered.example.com", Path: "/filtered"},
			status:   http.StatusUnauthorized,
			response: map[string]string{"WWW-Authenticate": answer.Challenge, answer.DeniedBy: "first"},
		}
		denied.mustCome(t, s, address)
		denied.mustAsk(t, s, address, "first")
		denied.Host, denied.response[answer.DeniedBy] = "reversed.example.com", "rpc"
		denied.mustCome(t, s, address)
		denied.mustAsk(t, s, address, "rpc")
	})
	t.Run("where no route matches, too", func(t *testing.T) {
		exchange{
			Request:  h.Request{Host: "ordered.example.com", Path: "/nowhere"},
			status:   http.StatusUnauthorized,
			response: map[string]string{answer.DeniedBy: "first"},
		}.mustCome(t, s, address)
	})
}

func listenerFilterKinds(t *testing.T, s *suite.ConformanceTestSuite, address string) {
	t.Run("HTTPS", func(t *testing.T) {
		certificate, _, err := kubernetes.GetTLSSecret(s.Client, inInfra("tls-validity-checks-certificate"))
		require.NoError(t, err)
		secure := withToken("alice", "listener-filters.org", "/plain")
		secure.secure, secure.atBackend = certificate, map[string]string{answer.Trail: "first"}
		secure.mustCome(t, s, net.JoinHostPort(address, "443"))
		secure.Headers, secure.status = nil, http.StatusUnauthorized
		secure.mustCome(t, s, net.JoinHostPort(address, "443"))
	})
	t.Run("a listener of a ListenerSet", func(t *testing.T) {
		allowed := withToken("alice", "of-a-set.example.com", "/")
		allowed.atBackend = map[string]string{answer.Trail: "first"}
		allowed.mustCome(t, s, address)
		allowed.Headers, allowed.status = nil, http.StatusUnauthorized
		allowed.mustCome(t, s, address)
	})
	t.Run("GRPCRoute", func(t *testing.T) {
		client := &grpc.DefaultClient{}
		defer client.Close()
		for user, backend := range map[string]string{"alice": "grpc-infra-backend-v1", "bob": "grpc-infra-backend-v2"} {
			grpc.MakeRequestAndExpectEventuallyConsistentResponse(t, client, s.TimeoutConfig, net.JoinHostPort(address, "80"),
				grpc.ExpectedResponse{
					EchoRequest: &pb.EchoRequest{},
					RequestMetadata: &grpc.RequestMetadata{
						Authority: "grpc.example.com",
						Metadata:  map[string]string{"authorization": "Bearer " + user},
					},
					Backend:   backend,
					Namespace: suite.InfrastructureNamespace,
				})
		}
		// Of an HTTP status without a gRPC status a client makes this (gRPC, "HTTP to gRPC Status Code Mapping").
		grpc.MakeRequestAndExpectEventuallyConsistentResponse(t, client, s.TimeoutConfig, net.JoinHostPort(address, "80"),
			grpc.ExpectedResponse{
				EchoRequest:     &pb.EchoRequest{},
				RequestMetadata: &grpc.RequestMetadata{Authority: "grpc.example.com"},
				Response:        grpc.Response{Code: codes.Unauthenticated},
			})
	})
}
