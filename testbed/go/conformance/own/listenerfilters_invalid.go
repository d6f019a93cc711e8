package own

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// GatewayListenerFiltersInvalid is about filters that cannot be run.
var GatewayListenerFiltersInvalid = suite.ConformanceTest{
	ShortName:   "GatewayListenerFiltersInvalid",
	Description: "A filter of a listener that cannot be run is told in the conditions, and no request passes without it",
	Features: []features.FeatureName{
		features.SupportGateway, features.SupportHTTPRoute, features.SupportReferenceGrant,
		features.SupportGatewayListenerFilters,
	},
	Manifests: []string{"manifests/listener-filters-invalid.yaml"},
	Parallel:  true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		address, err := kubernetes.WaitForGatewayAddress(t, s.Client, s.TimeoutConfig,
			kubernetes.NewGatewayRef(inInfra("listener-filters-invalid"), "healthy"))
		require.NoError(t, err)
		kubernetes.GatewayListenersMustHaveConditions(t, s.Client, s.TimeoutConfig, inInfra("listener-filters-invalid"),
			[]metav1.Condition{{Type: string(gatewayv1.ListenerConditionProgrammed), Status: metav1.ConditionTrue}}, "healthy")
		healthy := exchange{Request: h.Request{Host: "healthy.example.com", Path: "/"}, status: http.StatusOK}
		healthy.mustCome(t, s, address)

		// "the message MUST name the offending filter", "MUST identify which filter's reference failed".
		for _, it := range []struct {
			listener  string
			condition gatewayv1.ListenerConditionType
			reason    string
			message   []string
		}{
			{"unsupported", gatewayv1.ListenerConditionAccepted, "UnsupportedValue", []string{"requests[1]", "ExtensionRef"}},
			{"missing", gatewayv1.ListenerConditionResolvedRefs, "InvalidListenerFilterRef",
				[]string{"requests[1]", "auth-missing"}},
			{"unknown-kind", gatewayv1.ListenerConditionResolvedRefs, "InvalidListenerFilterRef",
				[]string{"requests[0]", "Nothing"}},
			{"elsewhere", gatewayv1.ListenerConditionResolvedRefs, "RefNotPermitted", []string{"requests[0]", "auth-elsewhere"}},
		} {
			t.Run(it.listener, func(t *testing.T) {
				mustRefuse(t, s, it.listener, metav1.Condition{
					Type: string(it.condition), Status: metav1.ConditionFalse, Reason: it.reason,
				}, it.message...)
				request := h.Request{
					Host: it.listener + ".example.com", Path: "/", Headers: map[string]string{"Authorization": "Bearer alice"},
				}
				exchange{Request: request, status: anyError}.mustCome(t, s, address)
			})
		}
		t.Run("a ReferenceGrant permits", func(t *testing.T) { mustBecomePermitted(t, s) })
		healthy.mustCome(t, s, address)
	},
}

func mustRefuse(
	t *testing.T, s *suite.ConformanceTestSuite, listener string, expected metav1.Condition, message ...string,
) {
	t.Helper()
	name := inInfra("listener-filters-invalid")
	kubernetes.GatewayListenerMustHaveConditions(t, s.Client, s.TimeoutConfig, name, listener, []metav1.Condition{expected})
	condition := listenerCondition(t, s, listener, expected.Type)
	for _, part := range message {
		require.Contains(t, condition.Message, part)
	}
}

func listenerCondition(t *testing.T, s *suite.ConformanceTestSuite, listener, condition string) metav1.Condition {
	gateway := &gatewayv1.Gateway{}
	require.NoError(t, s.Client.Get(t.Context(), inInfra("listener-filters-invalid"), gateway))
	for _, status := range gateway.Status.Listeners {
		if string(status.Name) == listener {
			if found := meta.FindStatusCondition(status.Conditions, condition); found != nil {
				return *found
			}
		}
	}
	require.Failf(t, "no condition", "listener %s has no %s", listener, condition)
	return metav1.Condition{}
}

// mustBecomePermitted expects that a ReferenceGrant from Gateways ends the refusal of the listener `elsewhere`.
func mustBecomePermitted(t *testing.T, s *suite.ConformanceTestSuite) {
	const namespace = "gateway-conformance-app-backend"
	grant := &gatewayv1.ReferenceGrant{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "listener-filters"},
		Spec: gatewayv1.ReferenceGrantSpec{
			From: []gatewayv1.ReferenceGrantFrom{{
				Group: gatewayv1.GroupName, Kind: "Gateway", Namespace: gatewayv1.Namespace(suite.InfrastructureNamespace),
			}},
			To: []gatewayv1.ReferenceGrantTo{{Kind: "Service"}},
		},
	}
	require.NoError(t, s.Client.Create(t.Context(), grant))
	defer func() { require.NoError(t, s.Client.Delete(t.Context(), grant)) }()
	resolved := metav1.Condition{
		Type: string(gatewayv1.ListenerConditionResolvedRefs), Status: metav1.ConditionTrue, Reason: "ResolvedRefs",
	}
	kubernetes.GatewayListenerMustHaveConditions(t, s.Client, s.TimeoutConfig, inInfra("listener-filters-invalid"),
		"elsewhere", []metav1.Condition{resolved})
}

// GatewayListenerFiltersAdmission is about what the API server lets in.
var GatewayListenerFiltersAdmission = suite.ConformanceTest{
	ShortName:   "GatewayListenerFiltersAdmission",
	Description: "Filters are only for listeners of HTTP and HTTPS, of two types, and 16 at most",
	Features:    []features.FeatureName{features.SupportGateway, features.SupportGatewayListenerFilters},
	Parallel:    true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		auth := gatewayv1.ListenerFilter{
			Type: gatewayv1.ListenerFilterExternalAuth,
			ExternalAuth: &gatewayv1.HTTPExternalAuthFilter{
				ExternalAuthProtocol: gatewayv1.HTTPRouteExternalAuthHTTPProtocol,
				BackendRef:           gatewayv1.BackendObjectReference{Name: "auth-servers", Port: ptr[gatewayv1.PortNumber](8001)},
				HTTPAuthConfig:       &gatewayv1.HTTPAuthConfig{},
			},
		}
		nothing := &gatewayv1.LocalObjectReference{Group: "nobody.example.com", Kind: "Nothing", Name: "nothing"}
		extension := gatewayv1.ListenerFilter{Type: gatewayv1.ListenerFilterExtensionRef, ExtensionRef: nothing}
		both, neither, modifier := auth, auth, auth
		both.ExtensionRef, neither.ExternalAuth, modifier.Type = nothing, nil, "RequestHeaderModifier"
		many := make([]gatewayv1.ListenerFilter, 17)
		for i := range many {
			many[i] = auth
		}
		for _, it := range []struct {
			name     string
			protocol gatewayv1.ProtocolType
			filters  []gatewayv1.ListenerFilter
			refused  string
		}{
			{"HTTP", gatewayv1.HTTPProtocolType, []gatewayv1.ListenerFilter{auth, extension}, ""},
			{"16", gatewayv1.HTTPProtocolType, many[:16], ""},
			{"17", gatewayv1.HTTPProtocolType, many, "at most 16 items"},
			{"TCP", gatewayv1.TCPProtocolType, many[:1], "filters may only be set when protocol is HTTP or HTTPS"},
			{"UDP", gatewayv1.UDPProtocolType, many[:1], "filters may only be set when protocol is HTTP or HTTPS"},
			{"TLS", gatewayv1.TLSProtocolType, many[:1], "filters may only be set when protocol is HTTP or HTTPS"},
			{"two variants", gatewayv1.HTTPProtocolType, []gatewayv1.ListenerFilter{both}, "must be nil"},
			{"no variant", gatewayv1.HTTPProtocolType, []gatewayv1.ListenerFilter{neither}, "must be specified"},
			{"another type", gatewayv1.HTTPProtocolType, []gatewayv1.ListenerFilter{modifier}, "Unsupported value"},
		} {
			t.Run(it.name, func(t *testing.T) {
				listener := gatewayv1.Listener{
					Name: "it", Port: 80, Protocol: it.protocol, Filters: &gatewayv1.ListenerFilters{Requests: it.filters},
				}
				if it.protocol == gatewayv1.TLSProtocolType {
					listener.TLS = &gatewayv1.ListenerTLSConfig{Mode: ptr(gatewayv1.TLSModePassthrough)}
				}
				mustAdmit(t, s, gatewayv1.GatewaySpec{Listeners: []gatewayv1.Listener{listener}}, it.refused)
			})
		}
	},
}

// mustAdmit asks the API server, without creating anything, whether a Gateway is let in, or refused with these words.
func mustAdmit(t *testing.T, s *suite.ConformanceTestSuite, spec gatewayv1.GatewaySpec, refused string) {
	t.Helper()
	spec.GatewayClassName = gatewayv1.ObjectName(s.GatewayClassName)
	gateway := &gatewayv1.Gateway{Spec: spec}
	gateway.Namespace, gateway.Name = suite.InfrastructureNamespace, "admission"
	err := s.Client.Create(t.Context(), gateway, client.DryRunAll)
	if refused == "" {
		require.NoError(t, err)
		return
	}
	require.ErrorContains(t, err, refused)
}
