package own

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

// sentinel is the routability that is reserved for conformance tests.
const sentinel gatewayv1.GatewayAddressRoutabilityType = "testing.x-k8s.io/sentinel"

// GatewayAddressRoutability is about what is reported of addresses. Of the reason when all are assigned GEP-5093 says
// `Assigned`, and in its definition of the API `AddressesAssigned`, as do the types of v1.7.0, which count here.
var GatewayAddressRoutability = suite.ConformanceTest{
	ShortName:   "GatewayAddressRoutability",
	Description: "Each address of a Gateway says from where it is reachable, and a condition whether all are assigned",
	Features:    []features.FeatureName{features.SupportGateway, features.SupportGatewayAddressRoutability},
	Parallel:    true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		t.Run("nothing asked for", func(t *testing.T) {
			mustAssign(t, s, newGateway(t, s, "routability-default"), byDefault)
		})
		t.Run("the sentinel, and no routability", func(t *testing.T) {
			gateway := newGateway(t, s, "routability-sentinel", ipAddress("", sentinel), ipAddress("", ""))
			mustAssign(t, s, gateway, sentinel, byDefault)
		})
		// "Other values using the prefix are reserved and MUST be treated as unsupported."
		t.Run("a value that nobody supports", func(t *testing.T) {
			const unknown = "testing.x-k8s.io/nothing"
			mustRefuseAddresses(t, s, newGateway(t, s, "routability-unknown", ipAddress("", unknown)), unknown)
		})
		t.Run("one that can be had and one that cannot", func(t *testing.T) {
			const unknown = "testing.x-k8s.io/nothing"
			gateway := newGateway(t, s, "routability-partly", ipAddress("", unknown), ipAddress("", sentinel))
			mustAssignSome(t, s, gateway, unknown, sentinel)
		})
	},
}

// GatewayAddressRoutabilityAdmission is about what the API server lets in.
var GatewayAddressRoutabilityAdmission = suite.ConformanceTest{
	ShortName:   "GatewayAddressRoutabilityAdmission",
	Description: "A routability is empty, Cluster, or a path behind a domain that is not Kubernetes' own",
	Features:    []features.FeatureName{features.SupportGateway, features.SupportGatewayAddressRoutability},
	Parallel:    true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		const refusal = "Routability must be empty, Cluster, or"
		gateway := inInfra("same-namespace")
		for value, refused := range map[gatewayv1.GatewayAddressRoutabilityType]string{
			"": "", "Cluster": "", sentinel: "", "example.com/CorpWan": "", "a.example.com/a/b": "",
			"Public": refusal, "cluster": refusal, "example.com/": refusal, "/path": refusal, "example.com": refusal,
			"Example.com/path": refusal, "-example.com/path": refusal, "example..com/path": refusal,
			"k8s.io/value": refusal, "example.k8s.io/value": refusal, "gateway.networking.k8s.io/value": refusal,
		} {
			t.Run("spec "+string(value), func(t *testing.T) {
				spec := gatewayv1.GatewaySpec{
					Addresses: []gatewayv1.GatewaySpecAddress{ipAddress("", value)}, Listeners: oneListener(),
				}
				mustAdmit(t, s, spec, refused)
			})
			t.Run("status "+string(value), func(t *testing.T) {
				changed := &gatewayv1.Gateway{}
				require.NoError(t, s.Client.Get(t.Context(), gateway, changed))
				changed.Status.Addresses = []gatewayv1.GatewayStatusAddress{
					{Type: ptr(gatewayv1.IPAddressType), Value: "192.0.2.1", Routability: ptr(value)},
				}
				// Of another than the controller, and of no effect.
				patch := client.RawPatch("application/merge-patch+json",
					fmt.Appendf(nil, `{"status":{"addresses":[{"type":"IPAddress","value":"192.0.2.1","routability":%q}]}}`, value))
				err := s.Client.Status().Patch(t.Context(), changed, patch, client.DryRunAll)
				if refused == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, refused)
				}
			})
		}
	},
}

// GatewayAddressRoutabilityCluster is about addresses that are reachable within the cluster.
var GatewayAddressRoutabilityCluster = suite.ConformanceTest{
	ShortName:   "GatewayAddressRoutabilityCluster",
	Description: "An address of routability Cluster is a ClusterIP, and no other address stands in for it",
	Features: []features.FeatureName{
		features.SupportGateway, features.SupportHTTPRoute, features.SupportGatewayStaticAddresses,
		features.SupportGatewayAddressRoutability, features.SupportGatewayAddressRoutabilityCluster,
	},
	Parallel: true,
	Test: func(t *testing.T, s *suite.ConformanceTestSuite) {
		const cluster = gatewayv1.GatewayAddressRoutabilityCluster
		outside := s.UnusableNetworkAddresses[0].Value
		t.Run("it is claimed together with GatewayAddressRoutability", func(t *testing.T) {
			class := &gatewayv1.GatewayClass{}
			require.NoError(t, s.Client.Get(t.Context(), client.ObjectKey{Name: s.GatewayClassName}, class))
			require.Subset(t, class.Status.SupportedFeatures, []gatewayv1.SupportedFeature{
				{Name: "GatewayAddressRoutability"}, {Name: "GatewayAddressRoutabilityCluster"},
			})
		})
		t.Run("any ClusterIP", func(t *testing.T) {
			mustAssign(t, s, newGateway(t, s, "routability-cluster", ipAddress("", cluster)), cluster)
		})
		t.Run("this ClusterIP", func(t *testing.T) {
			// The last but one of the first range, which nobody is likely to have.
			value := lastOf(t, serviceRanges(t, s)[0]).Prev().String()
			gateway := newGateway(t, s, "routability-cluster-static", ipAddress(value, cluster))
			addresses := mustAssign(t, s, gateway, cluster)
			require.Equal(t, value, addresses[0].Value)
		})
		for name, order := range map[string][]gatewayv1.GatewaySpecAddress{
			"empty-first":   {ipAddress("", ""), ipAddress("", cluster)},
			"cluster-first": {ipAddress("", cluster), ipAddress("", "")},
		} {
			t.Run("together with any address, "+name, func(t *testing.T) {
				mustAssign(t, s, newGateway(t, s, "routability-"+name, order...), byDefault, cluster)
			})
		}
		t.Run("a value that is no ClusterIP, alone", func(t *testing.T) {
			mustRefuseAddresses(t, s, newGateway(t, s, "routability-outside", ipAddress(outside, cluster)), outside)
		})
		t.Run("a value that is no ClusterIP, and any address", func(t *testing.T) {
			gateway := newGateway(t, s, "routability-outside-partly", ipAddress(outside, cluster), ipAddress("", ""))
			mustAssignSome(t, s, gateway, outside, byDefault)
		})
	},
}

// byDefault is what is reported of an address that nothing was asked of: `Cluster` or empty, as it is.
const byDefault gatewayv1.GatewayAddressRoutabilityType = "?"

func ipAddress(value string, routability gatewayv1.GatewayAddressRoutabilityType) gatewayv1.GatewaySpecAddress {
	return gatewayv1.GatewaySpecAddress{Type: ptr(gatewayv1.IPAddressType), Value: value, Routability: routability}
}

func oneListener() []gatewayv1.Listener {
	return []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}}
}

// newGateway makes a Gateway; in a manifest the suite would replace its addresses.
func newGateway(
	t *testing.T, s *suite.ConformanceTestSuite, name string, addresses ...gatewayv1.GatewaySpecAddress,
) client.ObjectKey {
	t.Helper()
	gateway := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: suite.InfrastructureNamespace, Name: name},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: gatewayv1.ObjectName(s.GatewayClassName),
			Addresses:        addresses,
			Listeners:        oneListener(),
		},
	}
	objects := []client.Object{gateway}
	s.Applier.MustApplyObjectsWithCleanup(t, s.Client, s.TimeoutConfig, objects, s.CleanupTestResources)
	return client.ObjectKeyFromObject(gateway)
}

// mustAssign expects one address for each of these routabilities, in any order, and that all are assigned.
func mustAssign(
	t *testing.T, s *suite.ConformanceTestSuite, gateway client.ObjectKey,
	expected ...gatewayv1.GatewayAddressRoutabilityType,
) []gatewayv1.GatewayStatusAddress {
	t.Helper()
	awaitAddresses(t, s, gateway, metav1.ConditionTrue, string(gatewayv1.GatewayReasonAddressesAssigned))
	kubernetes.GatewayMustHaveCondition(t, s.Client, s.TimeoutConfig, gateway, metav1.Condition{
		Type: string(gatewayv1.GatewayConditionProgrammed), Status: metav1.ConditionTrue,
	})
	return mustReport(t, s, gateway, expected)
}

// mustAssignSome expects the same, but that some entry is not satisfied, which the message names.
func mustAssignSome(
	t *testing.T, s *suite.ConformanceTestSuite, gateway client.ObjectKey, named string,
	expected ...gatewayv1.GatewayAddressRoutabilityType,
) {
	t.Helper()
	reason := string(gatewayv1.GatewayReasonAddressesPartiallyAssigned)
	require.Contains(t, awaitAddresses(t, s, gateway, metav1.ConditionFalse, reason).Message, named)
	mustReport(t, s, gateway, expected)
}

// mustRefuseAddresses expects that no entry is satisfied, and the message to name what was asked for.
func mustRefuseAddresses(t *testing.T, s *suite.ConformanceTestSuite, gateway client.ObjectKey, named string) {
	t.Helper()
	reason := string(gatewayv1.GatewayReasonAddressesNotAssigned)
	require.Contains(t, awaitAddresses(t, s, gateway, metav1.ConditionFalse, reason).Message, named)
	kubernetes.GatewayMustHaveCondition(t, s.Client, s.TimeoutConfig, gateway, metav1.Condition{
		Type:   string(gatewayv1.GatewayConditionProgrammed),
		Status: metav1.ConditionFalse,
		Reason: string(gatewayv1.GatewayReasonAddressNotAssigned),
	})
	mustReport(t, s, gateway, nil)
}

func awaitAddresses(
	t *testing.T, s *suite.ConformanceTestSuite, gateway client.ObjectKey, status metav1.ConditionStatus, reason string,
) metav1.Condition {
	t.Helper()
	expected := metav1.Condition{
		Type: string(gatewayv1.GatewayConditionAddressesAssigned), Status: status, Reason: reason,
	}
	kubernetes.GatewayMustHaveLatestConditions(t, s.Client, s.TimeoutConfig, gateway)
	kubernetes.GatewayMustHaveCondition(t, s.Client, s.TimeoutConfig, gateway, expected)
	found := meta.FindStatusCondition(gatewayOf(t, s, gateway).Status.Conditions, expected.Type)
	require.NotNil(t, found)
	return *found
}

func gatewayOf(t *testing.T, s *suite.ConformanceTestSuite, key client.ObjectKey) *gatewayv1.Gateway {
	gateway := &gatewayv1.Gateway{}
	require.NoError(t, s.Client.Get(t.Context(), key, gateway))
	return gateway
}

// mustReport expects exactly these addresses, all different, and those of routability Cluster to be ClusterIPs, as all
// ClusterIPs of which nothing was asked must be reported. The sentinel guarantees nothing.
func mustReport(
	t *testing.T, s *suite.ConformanceTestSuite, gateway client.ObjectKey,
	expected []gatewayv1.GatewayAddressRoutabilityType,
) []gatewayv1.GatewayStatusAddress {
	t.Helper()
	addresses := gatewayOf(t, s, gateway).Status.Addresses
	require.Lenf(t, addresses, len(expected), "%+v", addresses)
	ranges, values := serviceRanges(t, s), map[string]bool{}
	remaining := append([]gatewayv1.GatewayAddressRoutabilityType{}, expected...)
	for _, address := range addresses {
		require.NotNilf(t, address.Routability, "%s reports no routability", address.Value)
		require.Falsef(t, values[address.Value], "%s is reported twice", address.Value)
		values[address.Value] = true
		if *address.Routability != sentinel {
			require.Equalf(t, *address.Routability == gatewayv1.GatewayAddressRoutabilityCluster,
				isWithin(t, ranges, address.Value), "%s is of routability %q", address.Value, *address.Routability)
		}
		at := matching(remaining, *address.Routability)
		require.GreaterOrEqualf(t, at, 0, "%s is of routability %q; expected %q", address.Value, *address.Routability, expected)
		remaining = append(remaining[:at], remaining[at+1:]...)
	}
	return addresses
}

// matching is the index of the expectation that a routability meets: of the same, rather than of any.
func matching(
	expected []gatewayv1.GatewayAddressRoutabilityType, routability gatewayv1.GatewayAddressRoutabilityType,
) int {
	found := -1
	for i, it := range expected {
		if it == routability {
			return i
		}
		if it == byDefault && (routability == "" || routability == gatewayv1.GatewayAddressRoutabilityCluster) {
			found = i
		}
	}
	return found
}

func serviceRanges(t *testing.T, s *suite.ConformanceTestSuite) []netip.Prefix {
	t.Helper()
	list := &networkingv1.ServiceCIDRList{}
	require.NoError(t, s.Client.List(t.Context(), list))
	var ranges []netip.Prefix
	for _, item := range list.Items {
		for _, cidr := range item.Spec.CIDRs {
			prefix, err := netip.ParsePrefix(cidr)
			require.NoError(t, err)
			ranges = append(ranges, prefix)
		}
	}
	require.NotEmpty(t, ranges, "the cluster has no ServiceCIDR")
	return ranges
}

func isWithin(t *testing.T, ranges []netip.Prefix, value string) bool {
	address, err := netip.ParseAddr(value)
	require.NoError(t, err)
	for _, prefix := range ranges {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// lastOf is the last address of an IPv4 range.
func lastOf(t *testing.T, prefix netip.Prefix) netip.Addr {
	require.True(t, prefix.Addr().Is4(), "the first ServiceCIDR is not of IPv4")
	bytes := prefix.Masked().Addr().As4()
	for bit := prefix.Bits(); bit < 32; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(bytes)
}
