// Package answer holds what the testbed's authorization server says to a request, whatever protocol it is asked in, and
// the names by which a test reads it: the server tells what it saw in headers that the data plane hands on to the
// backend, which echoes them.
package answer

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Headers of a permission, which go into the request to the backend.
const (
	// By is the server that was asked last.
	By = "X-Auth-By"
	// Trail names the servers that were asked one after the other: what the request had, and this server.
	Trail = "X-Auth-Trail"
	// User is who the credentials stand for.
	User = "X-Auth-User"

	// SawMethod, SawPath and SawHost are the request's, as the server was told of them.
	SawMethod = "X-Auth-Saw-Method"
	SawPath   = "X-Auth-Saw-Path"
	SawHost   = "X-Auth-Saw-Host"
	// SawHeaders are the names of all headers, in small letters, sorted, with blanks between them.
	SawHeaders = "X-Auth-Saw-Headers"
	// SawLength is the length of the body as it was announced; empty where it was not.
	SawLength = "X-Auth-Saw-Length"
	// SawBody is the body, escaped as in a query.
	SawBody = "X-Auth-Saw-Body"
)

// What is in answers besides.
const (
	// DeniedBy is in a denial: the server that denied.
	DeniedBy = "X-Auth-Denied-By"
	// Challenge is the `WWW-Authenticate` of a denial for want of credentials.
	Challenge = `Bearer realm="testbed"`
	// Hijacked is the host that a server asks to have the request sent to, which no data plane may follow.
	Hijacked = "hijacked.example.com"
	// Response is what a server that is asked by gRPC adds to the response to the client.
	Response = "X-Auth-Response"
	// Removed is what such a server removes from the request.
	Removed = "X-Auth-Remove-Me"
)

// HangTime is for how long a server says nothing when the path has a segment `hang`.
const HangTime = time.Minute

const bearer = "Bearer "

// Question is a request that a server is asked about.
type Question struct {
	Method, Path, Host string
	Header             http.Header
	// Length of the body as it was announced, empty where it was not.
	Length string
	Body   []byte
}

// Answer is what a server says: 200 lets pass.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Hangs tells whether there is to be no answer.
func (q Question) Hangs() bool {
	return slices.Contains(q.segments(), "hang")
}

// Answer decides, in the name of `server`: `Authorization: Bearer USER` lets pass, unless the path has the segments
// `status` and a number, which then is the status of the answer.
func (q Question) Answer(server string) Answer {
	if status := q.askedStatus(); status != 0 {
		return q.denial(server, status)
	}
	user, found := strings.CutPrefix(q.Header.Get("Authorization"), bearer)
	if !found || user == "" {
		return q.denial(server, http.StatusUnauthorized)
	}
	header := http.Header{}
	header.Set(By, server)
	header.Set(Trail, strings.TrimPrefix(q.Header.Get(Trail)+","+server, ","))
	header.Set(User, user)
	header.Set(SawMethod, q.Method)
	header.Set(SawPath, q.Path)
	header.Set(SawHost, q.Host)
	header.Set(SawHeaders, strings.Join(q.names(), " "))
	header.Set(SawLength, q.Length)
	header.Set(SawBody, url.QueryEscape(string(q.Body)))
	header.Set("Host", Hijacked)
	return Answer{Status: http.StatusOK, Header: header}
}

func (q Question) denial(server string, status int) Answer {
	header := http.Header{}
	header.Set(DeniedBy, server)
	if status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", Challenge)
	}
	return Answer{Status: status, Header: header, Body: "denied by " + server}
}

func (q Question) names() []string {
	names := make([]string, 0, len(q.Header))
	for name := range q.Header {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	return names
}

func (q Question) askedStatus() int {
	segments := q.segments()
	at := slices.Index(segments, "status")
	if at < 0 || at+1 >= len(segments) {
		return 0
	}
	status, err := strconv.Atoi(segments[at+1])
	if err != nil {
		return 0
	}
	return status
}

func (q Question) segments() []string {
	path, _, _ := strings.Cut(q.Path, "?")
	return strings.Split(path, "/")
}
