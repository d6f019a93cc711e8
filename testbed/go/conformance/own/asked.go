package own

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
)

// inTheLog is how long a line of a server may take to be found in the log of its pod.
const inTheLog = 10 * time.Second

// mustAsk sends the request once, and expects these authorization servers to be asked about it, in this order, and no
// other. One that is asked twice is named twice.
func (e exchange) mustAsk(t *testing.T, s *suite.ConformanceTestSuite, address string, servers ...string) {
	t.Helper()
	began := time.Now().Add(-time.Second)
	mark := "mark-" + rand.String(10)
	last := "mark-" + rand.String(10)
	e.marked(mark).mustComeAtOnce(t, s, address)
	// Of one process the log has the lines in their order: when the second request is there, the first one is, whole.
	e.marked(last).mustComeAtOnce(t, s, address)
	expected := append(slices.Clone(servers), servers...)
	var found []string
	require.Eventuallyf(t, func() bool {
		found = slices.Concat(asked(t, s, began, mark), asked(t, s, began, last))
		return slices.Equal(expected, found)
	}, inTheLog, s.TimeoutConfig.DefaultPollInterval,
		"%s%s, sent twice, must ask %v each time; found %v", e.Host, e.Path, servers, &found)
}

func (e exchange) marked(mark string) exchange {
	separator := "?"
	if strings.Contains(e.Path, "?") {
		separator = "&"
	}
	e.Path += separator + mark
	return e
}

// asked are the servers that were asked about what has this mark.
func asked(t *testing.T, s *suite.ConformanceTestSuite, since time.Time, mark string) []string {
	const name = "auth-servers"
	lines, err := kubernetes.DumpEchoLogs(t.Context(), suite.InfrastructureNamespace, name, s.Client, s.Clientset, since)
	require.NoError(t, err)
	var servers []string
	for _, line := range lines {
		if words := strings.Fields(line); len(words) == 5 && words[0] == "check" && strings.Contains(words[4], mark) {
			servers = append(servers, words[1])
		}
	}
	return servers
}
