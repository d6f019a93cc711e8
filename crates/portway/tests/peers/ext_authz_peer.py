"""An authorization server that speaks Envoy's gRPC API and knows nothing of Portway.

    ext_authz_peer.py server       prints its port, serves until it is ended

Its messages are built from the field numbers of the published API (envoy/service/auth/v3/external_auth.proto,
attribute_context.proto), so that no generated code is needed. What it does depends on the token that a request
shows in `authorization`:

    good        the request passes; the server adds and removes headers and query parameters
    plain       the request passes as it is
    login       it is denied by a redirect
    crash       the call itself fails
    otherwise   it is denied with 401, and told in the body what the server has seen
"""

import json
import sys
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

PACKAGE = "test.ext_authz"
SERVICE = "envoy.service.auth.v3.Authorization"
STRING, INT32, INT64, UINT32, BOOL, BYTES, MESSAGE = 9, 5, 3, 13, 8, 12, 11

# Message: {field: (number, type, name of the message or empty, whether it is repeated)}
MESSAGES = {
    "CheckRequest": {"attributes": (1, MESSAGE, "AttributeContext", False)},
    "AttributeContext": {
        "source": (1, MESSAGE, "Peer", False),
        "destination": (2, MESSAGE, "Peer", False),
        "request": (4, MESSAGE, "Request", False),
    },
    "Peer": {"address": (1, MESSAGE, "Address", False)},
    "Address": {"socket_address": (1, MESSAGE, "SocketAddress", False)},
    "SocketAddress": {"address": (2, STRING, "", False), "port_value": (3, UINT32, "", False)},
    "Request": {"time": (1, MESSAGE, "Timestamp", False), "http": (2, MESSAGE, "HttpRequest", False)},
    "Timestamp": {"seconds": (1, INT64, "", False), "nanos": (2, INT32, "", False)},
    "HttpRequest": {
        "id": (1, STRING, "", False),
        "method": (2, STRING, "", False),
        "headers": (3, MESSAGE, "HeadersEntry", True),
        "path": (4, STRING, "", False),
        "host": (5, STRING, "", False),
        "scheme": (6, STRING, "", False),
        "size": (9, INT64, "", False),
        "protocol": (10, STRING, "", False),
        "body": (11, STRING, "", False),
        "raw_body": (12, BYTES, "", False),
    },
    # What a map is on the wire.
    "HeadersEntry": {"key": (1, STRING, "", False), "value": (2, STRING, "", False)},
    "CheckResponse": {
        "status": (1, MESSAGE, "Status", False),
        "denied_response": (2, MESSAGE, "DeniedHttpResponse", False),
        "ok_response": (3, MESSAGE, "OkHttpResponse", False),
    },
    "Status": {"code": (1, INT32, "", False), "message": (2, STRING, "", False)},
    "DeniedHttpResponse": {
        "status": (1, MESSAGE, "HttpStatus", False),
        "headers": (2, MESSAGE, "HeaderValueOption", True),
        "body": (3, STRING, "", False),
    },
    "HttpStatus": {"code": (1, INT32, "", False)},
    "OkHttpResponse": {
        "headers": (2, MESSAGE, "HeaderValueOption", True),
        "headers_to_remove": (5, STRING, "", True),
        "response_headers_to_add": (6, MESSAGE, "HeaderValueOption", True),
        "query_parameters_to_set": (7, MESSAGE, "QueryParameter", True),
        "query_parameters_to_remove": (8, STRING, "", True),
    },
    "HeaderValueOption": {
        "header": (1, MESSAGE, "HeaderValue", False),
        "append": (2, MESSAGE, "BoolValue", False),
        "append_action": (3, INT32, "", False),
    },
    "HeaderValue": {"key": (1, STRING, "", False), "value": (2, STRING, "", False)},
    "BoolValue": {"value": (1, BOOL, "", False)},
    "QueryParameter": {"key": (1, STRING, "", False), "value": (2, STRING, "", False)},
}


def message_classes() -> dict[str, type]:
    """The classes of all messages."""
    file = descriptor_pb2.FileDescriptorProto(name="ext_authz.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, of, repeated) in fields.items():
            entry = message.field.add(name=field, number=number, type=kind, label=3 if repeated else 1)
            if of:
                entry.type_name = f".{PACKAGE}.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"{PACKAGE}.{name}")) for name in MESSAGES}


CLASSES = message_classes()


def option(key: str, value: str, **how: object) -> dict[str, object]:
    """A header with what is to become of those that are there."""
    return {"header": {"key": key, "value": value}, **how}


def response(content: dict[str, object]) -> object:
    """A CheckResponse."""
    return json_format.ParseDict(content, CLASSES["CheckResponse"]())


def check(request: object, context: grpc.ServicerContext) -> object:
    """Decides."""
    http = request.attributes.request.http
    headers = {entry.key: entry.value for entry in http.headers}
    match headers.get("authorization"):
        case "good":
            return response(
                {
                    "status": {"code": 0},
                    "ok_response": {
                        "headers": [
                            option("x-user", "alice"),
                            option("x-group", "b", append={"value": True}),
                            option("x-kept", "new", append_action=1),
                            option("x-none", "new", append_action=3),
                            option("content-length", "1"),
                            option("host", "elsewhere.example"),
                        ],
                        "headers_to_remove": ["authorization", "host"],
                        "response_headers_to_add": [option("set-cookie", "seen=1"), option("set-cookie", "a=b")],
                        "query_parameters_to_set": [{"key": "user", "value": "a&b"}],
                        "query_parameters_to_remove": ["debug"],
                    },
                }
            )
        case "plain":
            return response({"status": {"code": 0}})
        case "login":
            redirect = {"status": {"code": 302}, "headers": [option("location", "https://login.example/")]}
            return response({"status": {"code": 16}, "denied_response": redirect})
        case "crash":
            context.abort(grpc.StatusCode.UNAVAILABLE, "no database")
    attributes = request.attributes
    seen = {
        "id": http.id,
        "method": http.method,
        "path": http.path,
        "host": http.host,
        "scheme": http.scheme,
        "size": http.size,
        "protocol": http.protocol,
        "body": http.body,
        "raw_body": http.raw_body.hex(),
        "headers": headers,
        "source": attributes.source.address.socket_address.address,
        "destination": attributes.destination.address.socket_address.port_value,
        "time": attributes.request.time.seconds,
        "timeout": context.time_remaining(),
    }
    denied = {
        "status": {"code": 401},
        "headers": [option("www-authenticate", "Bearer"), option("content-type", "application/json")],
        "body": json.dumps(seen),
    }
    return response({"status": {"code": 16}, "denied_response": denied})


def serve() -> None:
    """Serves on a free port."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    handler = grpc.unary_unary_rpc_method_handler(
        check,
        request_deserializer=CLASSES["CheckRequest"].FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Check": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    if sys.argv[1:] == ["server"]:
        serve()
    else:
        sys.exit(__doc__)
