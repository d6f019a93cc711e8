// Command authserver is an authorization server for tests of external authorization: over HTTP, and by Envoy's
// protocol ext_authz over gRPC. What it says is in the package answer. It is several servers in one program, each with a
// name and a port of its own, so that one log has their questions in the order of their coming.
//
//	authserver -http first=:8001 -http second=:8002 -grpc third=:9001
//	authserver -https secret=:8443 -certificate tls.crt -key tls.key
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"portway.dev/testbed/authserver/answer"
)

func main() {
	log.SetFlags(0)
	failed := make(chan error)
	serve := func(server func(name string, listener net.Listener) error) func(string) error {
		return func(given string) error {
			name, address, found := strings.Cut(given, "=")
			if !found {
				return fmt.Errorf("%q is not NAME=ADDRESS", given)
			}
			listener, err := net.Listen("tcp", address)
			if err != nil {
				return err
			}
			go func() { failed <- server(name, listener) }()
			return nil
		}
	}
	certificate := flag.String("certificate", "", "for -https: the certificate, in PEM")
	key := flag.String("key", "", "for -https: its key")
	flag.Func("http", "NAME=ADDRESS of a server that is asked over HTTP", serve(serveHTTP))
	flag.Func("grpc", "NAME=ADDRESS of a server that is asked over gRPC", serve(serveGRPC))
	flag.Func("https", "NAME=ADDRESS of a server that is asked over HTTPS; after -certificate and -key",
		serve(func(name string, listener net.Listener) error {
			return httpServer(name).ServeTLS(listener, *certificate, *key)
		}))
	flag.Parse()
	log.Fatal(<-failed)
}

func serveHTTP(name string, listener net.Listener) error {
	return httpServer(name).Serve(listener)
}

func httpServer(name string) *http.Server {
	handler := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		question := questionOf(request)
		if question.Hangs() {
			told(name, question, 0)
			wait(request.Context())
			return
		}
		said := question.Answer(name)
		told(name, question, said.Status)
		for header, values := range said.Header {
			writer.Header()[header] = values
		}
		writer.WriteHeader(said.Status)
		_, _ = writer.Write([]byte(said.Body))
	})
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
}

// told logs a question, for tests that want to know which servers were asked. A hanging server has status 0.
func told(name string, question answer.Question, status int) {
	log.Printf("check %s %d %s %s", name, status, question.Method, question.Path)
}
