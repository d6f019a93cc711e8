package own

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	h "sigs.k8s.io/gateway-api/conformance/utils/http"
	"sigs.k8s.io/gateway-api/conformance/utils/roundtripper"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/conformance/utils/tlog"
)

// Classes of statuses, where a GEP leaves the exact one open.
const (
	clientError = 4
	serverError = 5
	anyError    = -1
)

// absent is the value of a header that must not be there.
const absent = "\x00absent"

// exchange is a request, and what is expected of it. Beyond the suite's ExpectedResponse it looks into the headers of
// refusals, and at classes of statuses.
type exchange struct {
	h.Request
	// status is exact, or one of the classes above.
	status int
	// response are headers that the client gets.
	response map[string]string
	// atBackend are headers that the backend gets.
	atBackend map[string]string
	// pod is how the name of the backend's pod begins.
	pod string
	// length is that of the response's body, where it is not 0.
	length int64
	// secure is the certificate of the server that is asked over HTTPS.
	secure []byte
	// client is what the client shows for itself then.
	client certificate
}

// mustCome sends the request until what comes is as expected, as often in a row as the suite wants it.
func (e exchange) mustCome(t *testing.T, s *suite.ConformanceTestSuite, address string) {
	t.Helper()
	request := e.request(t, address)
	h.AwaitConvergence(t, s.TimeoutConfig, func(elapsed time.Duration) bool {
		seen, response, err := s.RoundTripper.CaptureRoundTrip(request)
		if err == nil {
			err = e.compare(seen, response)
		}
		if err != nil {
			tlog.Logf(t, "%s %s%s is not as expected yet: %v (after %v)", e.Method, e.Host, e.Path, err, elapsed)
		}
		return err == nil
	})
}

// mustComeAtOnce sends the request once.
func (e exchange) mustComeAtOnce(t *testing.T, s *suite.ConformanceTestSuite, address string) {
	t.Helper()
	seen, response, err := s.RoundTripper.CaptureRoundTrip(e.request(t, address))
	if err == nil {
		err = e.compare(seen, response)
	}
	if err != nil {
		t.Errorf("%s %s%s is not as expected: %v", e.Method, e.Host, e.Path, err)
	}
}

// mustFail sends the request until no response comes, as often in a row as the suite wants it.
func (e exchange) mustFail(t *testing.T, s *suite.ConformanceTestSuite, address string) {
	t.Helper()
	request := e.request(t, address)
	h.AwaitConvergence(t, s.TimeoutConfig, func(elapsed time.Duration) bool {
		_, response, err := s.RoundTripper.CaptureRoundTrip(request)
		if err == nil {
			tlog.Logf(t, "%s%s is still answered, with status %d (after %v)", e.Host, e.Path, response.StatusCode, elapsed)
		}
		return err != nil
	})
}

func (e exchange) request(t *testing.T, address string) roundtripper.Request {
	protocol, scheme := "HTTP", "http"
	if e.secure != nil {
		protocol, scheme = roundtripper.HTTPSProtocol, "https"
	}
	e.UnfollowRedirect = true
	request := h.MakeRequest(t, &h.ExpectedResponse{Request: e.Request}, address, protocol, scheme)
	request.ServerCertificate, request.ServerName = e.secure, e.Host
	if e.client.chain != nil {
		pair, err := tls.X509KeyPair(e.client.chain, e.client.key)
		require.NoError(t, err)
		request.GetClientCertificateHook = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	return request
}

func (e exchange) compare(seen *roundtripper.CapturedRequest, response *roundtripper.CapturedResponse) error {
	if !isStatus(e.status, response.StatusCode) {
		return fmt.Errorf("the status is %d", response.StatusCode)
	}
	if err := compareHeaders("response", e.response, response.Headers); err != nil {
		return err
	}
	if e.length != 0 && e.length != response.ContentLength {
		return fmt.Errorf("the response's body has %d bytes, not %d", response.ContentLength, e.length)
	}
	if response.StatusCode != http.StatusOK {
		return nil
	}
	if !strings.HasPrefix(seen.Pod, e.pod) {
		return fmt.Errorf("the pod is %s, not %s", seen.Pod, e.pod)
	}
	if e.Host != seen.Host {
		return fmt.Errorf("the backend is asked for host %s", seen.Host)
	}
	return compareHeaders("request to the backend", e.atBackend, seen.Headers)
}

func isStatus(wanted, got int) bool {
	switch wanted {
	case anyError:
		return got >= 400
	case clientError, serverError:
		return got/100 == wanted
	}
	return got == wanted
}

func compareHeaders(of string, wanted map[string]string, got map[string][]string) error {
	header := http.Header{}
	for name, values := range got {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	for name, value := range wanted {
		values, found := header[http.CanonicalHeaderKey(name)]
		switch {
		case value == absent && found:
			return fmt.Errorf("the %s has %s: %q", of, name, values)
		case value != absent && !found:
			return fmt.Errorf("the %s has no %s", of, name)
		case value != absent && strings.Join(values, ",") != value:
			return fmt.Errorf("the %s has %s: %q, not %q", of, name, values, value)
		}
	}
	return nil
}
