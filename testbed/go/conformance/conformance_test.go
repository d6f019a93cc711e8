// Package conformance runs the official Gateway API conformance suite, by its own flags.
package conformance

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/yaml"
)

func TestConformance(t *testing.T) {
	// Runs last, after the suite's own cleanup has written the report.
	t.Cleanup(func() { reportAsJSON(t) })
	options := conformance.DefaultOptions(t)
	options.Hook = tellOutcome
	conformance.RunConformanceWithOptions(t, options)
}

// tellOutcome says how a test went as soon as it has. The testing package itself does so when all have.
func tellOutcome(t *testing.T, test suite.ConformanceTest, _ *suite.ConformanceTestSuite) {
	outcome := "PASS"
	switch {
	case t.Failed():
		outcome = "FAIL"
	case t.Skipped():
		outcome = "SKIP"
	}
	fmt.Printf("=== OUTCOME %s %s\n", outcome, test.ShortName)
}

// reportAsJSON puts the report as JSON beside the YAML, for a reader without a parser of the latter.
func reportAsJSON(t *testing.T) {
	path := flag.Lookup("report-output").Value.String()
	report, err := os.ReadFile(path)
	if err != nil {
		t.Logf("no report: %v", err)
		return
	}
	asJSON, err := yaml.YAMLToJSON(report)
	if err != nil {
		t.Fatalf("the report %s is not YAML: %v", path, err)
	}
	if err := os.WriteFile(strings.TrimSuffix(path, ".yaml")+".json", asJSON, 0o644); err != nil {
		t.Fatal(err)
	}
}
