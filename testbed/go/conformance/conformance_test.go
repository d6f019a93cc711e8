// Package conformance runs the official Gateway API conformance suite, by its own flags, and in the same run tests of our
// own, whose results are in a report of their own.
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

	"portway.dev/testbed/conformance/own"
)

var (
	ownReport = flag.String("own-report-output", "own-report.yaml", "the report of our own tests")
	ownOnly   = flag.Bool("own-only", false, "run our own tests alone")
)

func TestConformance(t *testing.T) {
	options := conformance.DefaultOptions(t)
	// With -run-test the suite runs one test, and refuses a name that it does not know.
	one := options.RunTest
	isOfficial := !*ownOnly && !own.Has(one)
	if isOfficial {
		// Runs last, after the suite's own cleanup has written the report.
		t.Cleanup(func() { reportAsJSON(t) })
		official := options
		official.Hook = tellOutcome("")
		conformance.RunConformanceWithOptions(t, official)
	}
	if one == "" || own.Has(one) {
		options.Hook = tellOutcome("own/")
		// They end before the official tests that are parallel begin, of which some wait until every Gateway is programmed.
		t.Run("own", func(t *testing.T) { own.Run(t, options, *ownReport, isOfficial) })
	}
}

// tellOutcome says how a test went as soon as it has. The testing package itself does so when all have.
func tellOutcome(prefix string) func(*testing.T, suite.ConformanceTest, *suite.ConformanceTestSuite) {
	return func(t *testing.T, test suite.ConformanceTest, _ *suite.ConformanceTestSuite) {
		outcome := "PASS"
		switch {
		case t.Failed():
			outcome = "FAIL"
		case t.Skipped():
			outcome = "SKIP"
		}
		fmt.Printf("=== OUTCOME %s %s%s\n", outcome, prefix, test.ShortName)
	}
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
