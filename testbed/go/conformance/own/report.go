package own

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	confv1 "sigs.k8s.io/gateway-api/conformance/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/consts"
	"sigs.k8s.io/yaml"
)

// Report is what came of the tests. It is no ConformanceReport, so that nobody takes one for the other.
type Report struct {
	Kind              string                `json:"kind"`
	Date              string                `json:"date"`
	GatewayAPIVersion string                `json:"gatewayAPIVersion"`
	Implementation    confv1.Implementation `json:"implementation"`
	Features          []FeatureReport       `json:"features"`
}

// FeatureReport is what came of the tests of one feature.
type FeatureReport struct {
	Name  string       `json:"name"`
	GEP   int          `json:"gep"`
	Tests []TestReport `json:"tests"`
}

// TestReport is what came of one test.
type TestReport struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Passed, Failed, Skipped, or NotRun where the run ended before it.
	Result string `json:"result"`
}

// results are of the tests that have ended, by their names.
type results struct {
	lock   sync.Mutex
	byTest map[string]string
}

func newResults() *results {
	return &results{byTest: map[string]string{}}
}

type hook = func(*testing.T, suite.ConformanceTest, *suite.ConformanceTestSuite)

// add makes a hook that notes the result of a test, and calls the next hook.
func (r *results) add(next hook) hook {
	return func(t *testing.T, test suite.ConformanceTest, s *suite.ConformanceTestSuite) {
		r.lock.Lock()
		r.byTest[test.ShortName] = resultOf(t)
		r.lock.Unlock()
		if next != nil {
			next(t, test, s)
		}
	}
}

func resultOf(t *testing.T) string {
	switch {
	case t.Failed():
		return "Failed"
	case t.Skipped():
		return "Skipped"
	}
	return "Passed"
}

func (r *results) write(path string, implementation confv1.Implementation) error {
	asYAML, err := yaml.Marshal(r.report(implementation))
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, asYAML, 0o644); err != nil {
		return err
	}
	asJSON, err := yaml.YAMLToJSON(asYAML)
	if err != nil {
		return err
	}
	return os.WriteFile(strings.TrimSuffix(path, ".yaml")+".json", asJSON, 0o644)
}

func (r *results) report(implementation confv1.Implementation) Report {
	r.lock.Lock()
	defer r.lock.Unlock()
	report := Report{
		Kind:              "PortwayOwnConformanceReport",
		Date:              time.Now().Format(time.RFC3339),
		GatewayAPIVersion: consts.BundleVersion,
		Implementation:    implementation,
	}
	for _, subject := range Subjects {
		feature := FeatureReport{Name: string(subject.Feature), GEP: subject.GEP}
		for _, test := range subject.Tests {
			result, found := r.byTest[test.ShortName]
			if !found {
				result = "NotRun"
			}
			feature.Tests = append(feature.Tests, TestReport{test.ShortName, test.Description, result})
		}
		report.Features = append(report.Features, feature)
	}
	return report
}
