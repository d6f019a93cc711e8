package answer

import (
	"net/http"
	"testing"
)

func TestCredentialsLetPass(t *testing.T) {
	asked := Question{
		Method: "POST", Path: "/a?b=c", Host: "a.example.com", Length: "3", Body: []byte("a b"),
		Header: http.Header{"Authorization": {"Bearer alice"}, Trail: {"zero"}, "Accept": {"*/*"}},
	}
	answer := asked.Answer("first")
	if answer.Status != http.StatusOK {
		t.Fatalf("status %d", answer.Status)
	}
	expected := map[string]string{
		By: "first", Trail: "zero,first", User: "alice", SawMethod: "POST", SawPath: "/a?b=c", SawHost: "a.example.com",
		SawHeaders: "accept authorization x-auth-trail", SawLength: "3", SawBody: "a+b", "Host": Hijacked,
	}
	for name, value := range expected {
		if got := answer.Header.Get(name); got != value {
			t.Errorf("%s is %q, not %q", name, got, value)
		}
	}
}

func TestDenials(t *testing.T) {
	for path, expected := range map[string]int{"/": 401, "/status/503": 503, "/a/status/302?b": 302, "/status/x": 401} {
		answer := Question{Path: path}.Answer("first")
		if answer.Status != expected || answer.Header.Get(DeniedBy) != "first" || answer.Body != "denied by first" {
			t.Errorf("%s: %+v", path, answer)
		}
	}
}

func TestHangs(t *testing.T) {
	if !(Question{Path: "/a/hang?b"}).Hangs() || (Question{Path: "/hangs"}).Hangs() {
		t.Error("it hangs at the segment `hang`, and only there")
	}
}
