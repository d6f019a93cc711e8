"""A gRPC server and client that know nothing of Portway.

    grpc_peer.py server            prints its port, serves until it is ended
    grpc_peer.py client HOST:PORT AUTHORITY
                                   makes calls of every kind; prints `all calls as expected`, or fails

Messages are plain bytes, so that no generated code is needed.
"""

import queue
import sys
from collections.abc import Iterator
from concurrent import futures

import grpc

SERVICE = "peer.v1.Echo"
DETAILS = "no such thing: 100 % certain"


def unary(request: bytes, context: grpc.ServicerContext) -> bytes:
    """Answers with the message, and a trailer that counts its bytes."""
    context.set_trailing_metadata((("x-bytes", str(len(request))),))
    return request


def server_stream(request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
    """Answers a hundred times."""
    for number in range(100):
        yield request + str(number).encode()


def both_ways(requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
    """Answers each message as it comes."""
    for request in requests:
        yield request.upper()


def fail(_request: bytes, context: grpc.ServicerContext) -> bytes:
    """Fails with a status, details and a trailer."""
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.NOT_FOUND, DETAILS)
    raise AssertionError("abort raises")


def serve() -> None:
    """Serves on a free port."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    methods = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "BothWays": grpc.stream_stream_rpc_method_handler(both_ways),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def call_unary(channel: grpc.Channel) -> None:
    """Messages of several sizes, and the trailers."""
    method = channel.unary_unary(f"/{SERVICE}/Unary")
    for size in (0, 1, 1000, 1_000_000):
        message = bytes(size)
        answer, call = method.with_call(message, timeout=20)
        assert answer == message
        assert ("x-bytes", str(size)) in [tuple(item) for item in call.trailing_metadata()]


def call_streams(channel: grpc.Channel) -> None:
    """A stream of answers; and questions that each wait for the answer to the one before."""
    answers = list(channel.unary_stream(f"/{SERVICE}/ServerStream")(b"n", timeout=20))
    assert answers == [f"n{number}".encode() for number in range(100)], answers

    # Each question goes out only when the answer to the one before has come.
    questions: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    answers = channel.stream_stream(f"/{SERVICE}/BothWays")(iter(questions.get, None), timeout=20)
    for word in (b"one", b"two", b"three"):
        questions.put(word)
        assert next(answers) == word.upper()
    questions.put(None)
    assert list(answers) == []


def call_failures(channel: grpc.Channel) -> None:
    """An error of the server's own, and one for a method that no route matches."""
    for name, code in (
        (f"/{SERVICE}/Fail", grpc.StatusCode.NOT_FOUND),
        ("/peer.v1.Unknown/Method", grpc.StatusCode.UNIMPLEMENTED),
    ):
        try:
            channel.unary_unary(name)(b"", timeout=20)
        except grpc.RpcError as error:
            assert error.code() == code, error
            if code == grpc.StatusCode.NOT_FOUND:
                assert error.details() == DETAILS, error.details()
                assert ("x-why", "because") in [tuple(item) for item in error.trailing_metadata()]
        else:
            raise AssertionError(f"{name} did not fail")


def call(target: str, authority: str) -> None:
    """Makes calls of every kind."""
    options = (("grpc.default_authority", authority),)
    with grpc.insecure_channel(target, options=options) as channel:
        call_unary(channel)
        call_streams(channel)
        call_failures(channel)
    print("all calls as expected")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["server"]:
            serve()
        case ["client", target, authority]:
            call(target, authority)
        case _:
            sys.exit(__doc__)
