package own

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// ClusterTrustBundleBackend is about the trust in backends. That a bundle is empty or cannot be parsed, which GEP-5075
// speaks of as well, the API server does not let happen.
var ClusterTrustBundleBackend = suite.ConformanceTest{
	ShortName:   "ClusterTrustBundleBackend",
	Description: "A BackendTLSPolicy that names a ClusterTrustBundle trusts what it holds, as long as it holds it",
	Features: []features.FeatureName{
		features.SupportGateway, features.SupportHTTPRoute, features.SupportBackendTLSPolicy,
		features.SupportClusterTrustBundle,
	},
	Manifests: []string{"manifests/cluster-trust-bundle.yaml"},
	Parallel:  true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		right := authorityOf(t, s, "tls-checks-ca-certificate")
		wrong := authorityOf(t, s, "mismatch-ca-certificate")
		signed := newBundle(t, s, "conformance.example.com:backends:v1", "conformance.example.com/backends", right)
		newBundle(t, s, "conformance-backends", "", right)
		address := mustBeRouted(t, s, "same-namespace", "cluster-trust-bundle")
		to := func(path string, status int) exchange {
			return exchange{Request: h.Request{Host: "cluster-trust-bundle.example.com", Path: path}, status: status}
		}

		t.Run("of a signer", func(t *testing.T) {
			mustTrust(t, s, "trust-by-signer")
			to("/signer", http.StatusOK).mustCome(t, s, address)
		})
		t.Run("of no signer", func(t *testing.T) {
			mustTrust(t, s, "trust-by-name")
			to("/plain", http.StatusOK).mustCome(t, s, address)
		})
		t.Run("that does not exist", func(t *testing.T) {
			mustNotTrust(t, s, "trust-missing")
			to("/missing", serverError).mustCome(t, s, address)
		})
		t.Run("that changes", func(t *testing.T) {
			setBundle(t, s, signed, wrong)
			to("/signer", serverError).mustCome(t, s, address)
			mustTrust(t, s, "trust-by-signer")
			// In a rotation both are there for a time.
			setBundle(t, s, signed, wrong+right)
			to("/signer", http.StatusOK).mustCome(t, s, address)
		})
		t.Run("that is deleted and made again", func(t *testing.T) {
			require.NoError(t, s.Client.Delete(t.Context(), signed))
			mustNotTrust(t, s, "trust-by-signer")
			to("/signer", serverError).mustCome(t, s, address)
			newBundle(t, s, signed.Name, signed.Spec.SignerName, right)
			mustTrust(t, s, "trust-by-signer")
			to("/signer", http.StatusOK).mustCome(t, s, address)
		})
		to("/plain", http.StatusOK).mustCome(t, s, address)
	},
}

// authorityOf is what a ConfigMap of the suite holds.
func authorityOf(t *testing.T, s *suite.ConformanceTestSuite, configMap string) string {
	t.Helper()
	data, err := kubernetes.GetConfigMapData(s.Client, s.TimeoutConfig, inInfra(configMap))
	require.NoError(t, err)
	require.NotEmpty(t, data["ca.crt"])
	return data["ca.crt"]
}

func newBundle(
	t *testing.T, s *suite.ConformanceTestSuite, name, signer, certificates string,
) *certificatesv1.ClusterTrustBundle {
	t.Helper()
	bundle := &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: certificates},
	}
	objects := []client.Object{bundle}
	s.Applier.MustApplyObjectsWithCleanup(t, s.Client, s.TimeoutConfig, objects, s.CleanupTestResources)
	return bundle
}

func setBundle(
	t *testing.T, s *suite.ConformanceTestSuite, bundle *certificatesv1.ClusterTrustBundle, certificates string,
) {
	t.Helper()
	before := bundle.DeepCopy()
	bundle.Spec.TrustBundle = certificates
	require.NoError(t, s.Client.Patch(t.Context(), bundle, client.MergeFrom(before)))
}

func mustTrust(t *testing.T, s *suite.ConformanceTestSuite, policy string) {
	t.Helper()
	policyMustHave(t, s, policy, string(gatewayv1.BackendTLSPolicyConditionResolvedRefs), metav1.ConditionTrue,
		string(gatewayv1.BackendTLSPolicyReasonResolvedRefs))
	policyMustHave(t, s, policy, string(gatewayv1.PolicyConditionAccepted), metav1.ConditionTrue,
		string(gatewayv1.PolicyReasonAccepted))
}

func mustNotTrust(t *testing.T, s *suite.ConformanceTestSuite, policy string) {
	t.Helper()
	policyMustHave(t, s, policy, string(gatewayv1.BackendTLSPolicyConditionResolvedRefs), metav1.ConditionFalse,
		string(gatewayv1.BackendTLSPolicyReasonInvalidCACertificateRef))
	policyMustHave(t, s, policy, string(gatewayv1.PolicyConditionAccepted), metav1.ConditionFalse,
		string(gatewayv1.BackendTLSPolicyReasonNoValidCACertificate))
}

func policyMustHave(
	t *testing.T, s *suite.ConformanceTestSuite, policy, condition string, status metav1.ConditionStatus, reason string,
) {
	t.Helper()
	kubernetes.BackendTLSPolicyMustHaveCondition(t, s.Client, s.TimeoutConfig, inInfra(policy), inInfra("same-namespace"),
		metav1.Condition{Type: condition, Status: status, Reason: reason})
}
