package own

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/conformance/utils/tls"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// ClusterTrustBundleFrontend is about the trust in clients.
var ClusterTrustBundleFrontend = suite.ConformanceTest{
	ShortName:   "ClusterTrustBundleFrontend",
	Description: "A Gateway that names a ClusterTrustBundle trusts clients by it, as long as it is there",
	Features: []features.FeatureName{
		features.SupportGateway, features.SupportHTTPRoute, features.SupportGatewayFrontendClientCertificateValidation,
		features.SupportClusterTrustBundle,
	},
	Manifests: []string{"manifests/cluster-trust-bundle-frontend.yaml"},
	Parallel:  true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		const name, signer = "conformance.example.com:clients:v1", "conformance.example.com/clients"
		authority := authorityOf(t, s, "tls-validity-checks-ca-certificate")
		bundle := newBundle(t, s, name, signer, authority)
		address := mustBeRouted(t, s, "cluster-trust-bundle-frontend", "cluster-trust-bundle-frontend")
		door := frontDoor{
			suite:   s,
			only:    net.JoinHostPort(address, "443"),
			both:    net.JoinHostPort(address, "8443"),
			server:  newCertificate(t, s, "tls-validity-checks-certificate"),
			bundled: newCertificate(t, s, "tls-validity-checks-client-certificate"),
			other:   newCertificate(t, s, "tls-validity-checks-per-port-client-certificate"),
		}

		t.Run("its clients are let in, and no others", func(t *testing.T) {
			listenersMustResolve(t, s)
			door.mustOpen(t, door.only, door.bundled)
			door.mustStayShut(t, door.only, door.other)
		})
		t.Run("beside another source of trust", func(t *testing.T) {
			door.mustOpen(t, door.both, door.bundled)
			door.mustOpen(t, door.both, door.other)
		})
		t.Run("when it changes, its new clients are", func(t *testing.T) {
			setBundle(t, s, bundle, authorityOf(t, s, "tls-validity-checks-per-port-ca-certificate"))
			door.mustOpen(t, door.only, door.other)
			door.mustStayShut(t, door.only, door.bundled)
			setBundle(t, s, bundle, authority)
			door.mustOpen(t, door.only, door.bundled)
		})
		t.Run("when it is gone, none are, unless for another reason", func(t *testing.T) {
			require.NoError(t, s.Client.Delete(t.Context(), bundle))
			refused := []metav1.Condition{
				falseFor(gatewayv1.ListenerConditionResolvedRefs, gatewayv1.ListenerReasonInvalidCACertificateRef),
				falseFor(gatewayv1.ListenerConditionAccepted, gatewayv1.ListenerReasonNoValidCACertificate),
			}
			listenerMustHave(t, s, "bundle", refused...)
			door.mustStayShut(t, door.only, door.bundled)
			listenerMustHave(t, s, "both", refused[0], metav1.Condition{
				Type: string(gatewayv1.ListenerConditionAccepted), Status: metav1.ConditionTrue,
			})
			door.mustStayShut(t, door.both, door.bundled)
			door.mustOpen(t, door.both, door.other)
		})
		t.Run("when it is made again, they are again", func(t *testing.T) {
			newBundle(t, s, name, signer, authority)
			listenersMustResolve(t, s)
			door.mustOpen(t, door.only, door.bundled)
		})
		t.Run("a reference with a namespace is not let in", func(t *testing.T) {
			spec := gatewayv1.GatewaySpec{Listeners: oneListener(), TLS: &gatewayv1.GatewayTLSConfig{
				Frontend: &gatewayv1.FrontendTLSConfig{Default: gatewayv1.TLSConfig{
					Validation: &gatewayv1.FrontendTLSValidation{CACertificateRefs: []gatewayv1.ObjectReference{{
						Group: "certificates.k8s.io", Kind: "ClusterTrustBundle", Name: name,
						Namespace: ptr(gatewayv1.Namespace(suite.InfrastructureNamespace)),
					}}},
				}},
			}}
			mustAdmit(t, s, spec, "ClusterTrustBundle references must not specify namespace")
		})
	},
}

// frontDoor is a Gateway that wants to see certificates of its clients.
type frontDoor struct {
	suite *suite.ConformanceTestSuite
	// only is where the bundle is the one source of trust, both where it is one of two.
	only, both string
	// bundled is of a client whom the bundle vouches for, other of one for whom the second source does.
	server, bundled, other certificate
}

// certificate is one with its key, in PEM.
type certificate struct{ chain, key []byte }

func newCertificate(t *testing.T, s *suite.ConformanceTestSuite, secret string) certificate {
	chain, key, err := kubernetes.GetTLSSecret(s.Client, inInfra(secret))
	require.NoError(t, err)
	return certificate{chain, key}
}

const doorHost = "example.org"

func (d frontDoor) mustOpen(t *testing.T, address string, client certificate) {
	t.Helper()
	tls.MakeTLSRequestAndExpectEventuallyConsistentResponse(t, d.suite.RoundTripper, d.suite.TimeoutConfig, address,
		d.server.chain, client.chain, client.key, doorHost, h.ExpectedResponse{
			Request:   h.Request{Host: doorHost, Path: "/"},
			Response:  h.Response{StatusCode: http.StatusOK},
			Backend:   suite.InfraBackendServiceNameV1,
			Namespace: suite.InfrastructureNamespace,
		})
}

// mustStayShut does not ask whether the client was asked for a certificate: where no trust is left, nothing is served.
func (d frontDoor) mustStayShut(t *testing.T, address string, client certificate) {
	t.Helper()
	request := exchange{Request: h.Request{Host: doorHost, Path: "/"}, secure: d.server.chain, client: client}
	request.mustFail(t, d.suite, address)
}

func listenersMustResolve(t *testing.T, s *suite.ConformanceTestSuite) {
	t.Helper()
	for _, listener := range []string{"bundle", "both"} {
		listenerMustHave(t, s, listener, metav1.Condition{
			Type: string(gatewayv1.ListenerConditionResolvedRefs), Status: metav1.ConditionTrue,
		})
	}
}

func listenerMustHave(t *testing.T, s *suite.ConformanceTestSuite, listener string, conditions ...metav1.Condition) {
	t.Helper()
	gateway := inInfra("cluster-trust-bundle-frontend")
	kubernetes.GatewayListenerMustHaveConditions(t, s.Client, s.TimeoutConfig, gateway, listener, conditions)
}

func falseFor(condition gatewayv1.ListenerConditionType, reason gatewayv1.ListenerConditionReason) metav1.Condition {
	return metav1.Condition{Type: string(condition), Status: metav1.ConditionFalse, Reason: string(reason)}
}
