package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"portway.dev/testbed/authserver/answer"
)

// questionOf is what a request asks: over HTTP the request that is asked about is the question itself.
func questionOf(request *http.Request) answer.Question {
	body, _ := io.ReadAll(request.Body)
	return answer.Question{
		Method: request.Method,
		Path:   request.RequestURI,
		Host:   request.Host,
		Header: request.Header,
		Length: request.Header.Get("Content-Length"),
		Body:   body,
	}
}

// wait does so until whoever asks gives up.
func wait(asking context.Context) {
	select {
	case <-asking.Done():
	case <-time.After(answer.HangTime):
	}
}
