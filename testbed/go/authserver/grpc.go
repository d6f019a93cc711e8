package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoy "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"portway.dev/testbed/authserver/answer"
)

// grpcServer is asked by Envoy's protocol.
type grpcServer struct {
	auth.UnimplementedAuthorizationServer
	name string
}

func serveGRPC(name string, listener net.Listener) error {
	server := grpc.NewServer()
	auth.RegisterAuthorizationServer(server, &grpcServer{name: name})
	return server.Serve(listener)
}

// Check answers one question.
func (s *grpcServer) Check(ctx context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	question := questionIn(request.GetAttributes().GetRequest().GetHttp())
	if question.Hangs() {
		told(s.name, question, 0)
		wait(ctx)
		return nil, ctx.Err()
	}
	said := question.Answer(s.name)
	told(s.name, question, said.Status)
	if said.Status != http.StatusOK {
		return &auth.CheckResponse{
			Status: &rpc.Status{Code: int32(codes.PermissionDenied)},
			HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
				Status:  &envoy.HttpStatus{Code: envoy.StatusCode(said.Status)},
				Headers: options(said.Header),
				Body:    said.Body,
			}},
		}, nil
	}
	headers := append(options(said.Header), option(":authority", answer.Hijacked))
	return &auth.CheckResponse{
		Status: &rpc.Status{Code: int32(codes.OK)},
		HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
			Headers:              headers,
			HeadersToRemove:      []string{strings.ToLower(answer.Removed)},
			ResponseHeadersToAdd: []*core.HeaderValueOption{option(answer.Response, s.name)},
		}},
	}, nil
}

// questionIn is what the attributes of a request ask. Pseudo-headers are left out: whether they are among the headers is
// up to the data plane.
func questionIn(request *auth.AttributeContext_HttpRequest) answer.Question {
	header := http.Header{}
	for name, value := range request.GetHeaders() {
		if !strings.HasPrefix(name, ":") {
			header.Set(name, value)
		}
	}
	body := request.GetRawBody()
	if len(body) == 0 {
		body = []byte(request.GetBody())
	}
	return answer.Question{
		Method: request.GetMethod(),
		Path:   request.GetPath(),
		Host:   request.GetHost(),
		Header: header,
		Length: strconv.FormatInt(request.GetSize(), 10),
		Body:   body,
	}
}

func options(header http.Header) []*core.HeaderValueOption {
	var all []*core.HeaderValueOption
	for name := range header {
		all = append(all, option(name, header.Get(name)))
	}
	return all
}

// option replaces a header, as a server does unless it says otherwise.
func option(name, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{
		Header:       &core.HeaderValue{Key: strings.ToLower(name), Value: value},
		AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
