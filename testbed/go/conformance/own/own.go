// Package own holds conformance tests of what the official suite of v1.7.0 has no tests for: four features, and external
// authorization. They are made in its manner, from the words of their GEPs, and run on the same base resources.
package own

import (
	"embed"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

//go:embed manifests
var manifests embed.FS

// authServers are authorization servers, which several tests use.
const authServers = "manifests/auth-servers.yaml"

// Subject is what some tests are about.
type Subject struct {
	// Feature as pkg/features names it, or as the GEP does where it is not there.
	Feature features.FeatureName
	// GEP is the number of the proposal that the tests were made from.
	GEP   int
	Tests []suite.ConformanceTest
}

// Subjects are all.
var Subjects = []Subject{
	{
		Feature: "HTTPRouteExternalAuth",
		GEP:     1494,
		Tests: []suite.ConformanceTest{
			HTTPRouteExternalAuthHTTP,
			HTTPRouteExternalAuthGRPC,
			HTTPRouteExternalAuthForwardBody,
			HTTPRouteExternalAuthFailures,
		},
	},
	{
		Feature: features.SupportGatewayListenerFilters,
		GEP:     5224,
		Tests: []suite.ConformanceTest{
			GatewayListenerFilters,
			GatewayListenerFiltersInvalid,
			GatewayListenerFiltersAdmission,
		},
	},
	{
		Feature: features.SupportGatewayAddressRoutability,
		GEP:     5093,
		Tests:   []suite.ConformanceTest{GatewayAddressRoutability, GatewayAddressRoutabilityAdmission},
	},
	{
		Feature: features.SupportGatewayAddressRoutabilityCluster,
		GEP:     5093,
		Tests:   []suite.ConformanceTest{GatewayAddressRoutabilityCluster},
	},
	{
		Feature: features.SupportClusterTrustBundle,
		GEP:     5075,
		Tests:   []suite.ConformanceTest{ClusterTrustBundleBackend, ClusterTrustBundleFrontend},
	},
}

// Has tells whether a test is one of these.
func Has(name string) bool {
	return slices.ContainsFunc(all(), func(test suite.ConformanceTest) bool { return test.ShortName == name })
}

func all() []suite.ConformanceTest {
	var all []suite.ConformanceTest
	for _, subject := range Subjects {
		all = append(all, subject.Tests...)
	}
	return all
}

// Run runs the tests, and writes what came of them to `report`, as YAML and beside it as JSON. `prepared` says that the
// official suite has made the base resources, and will remove them.
func Run(t *testing.T, options suite.ConformanceOptions, report string, prepared bool) {
	for _, official := range tests.ConformanceTests {
		require.Falsef(t, Has(official.ShortName), "the official suite has a test %s as well", official.ShortName)
	}
	results := newResults()
	// Runs when all tests have ended, those that are parallel too.
	t.Cleanup(func() { require.NoError(t, results.write(report, options.Implementation)) })
	options.Hook = results.add(options.Hook)
	options.ReportOutputPath = ""
	options.ManifestFS = append(slices.Clone(options.ManifestFS), &manifests)
	own, err := suite.NewConformanceTestSuite(options)
	require.NoError(t, err)
	if prepared {
		adopt(t, own)
	} else {
		own.Setup(t, all())
	}
	own.Applier.MustApplyWithCleanup(t, own.Client, own.TimeoutConfig, authServers, own.Cleanup)
	// An exchange has half a minute to come as expected, which must not pass while pods start.
	kubernetes.NamespacesMustBeReady(t, own.Client, own.TimeoutConfig, []string{suite.InfrastructureNamespace})
	require.NoError(t, own.Run(t, all()))
}

// adopt does what Setup does besides making the base resources.
func adopt(t *testing.T, own *suite.ConformanceTestSuite) {
	own.ControllerName =
		kubernetes.GWCMustHaveAcceptedConditionTrue(t, own.Client, own.TimeoutConfig, own.GatewayClassName)
	own.Applier.ManifestFS = own.ManifestFS
	own.Applier.UsableNetworkAddresses = own.UsableNetworkAddresses
	own.Applier.UnusableNetworkAddresses = own.UnusableNetworkAddresses
	own.Applier.GatewayClass = own.GatewayClassName
	own.Applier.ControllerName = own.ControllerName
}

// ptr is for optional fields.
func ptr[T any](value T) *T {
	return &value
}
