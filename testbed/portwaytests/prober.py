"""One end of flows between pods: in a pod's network namespace, it answers under the ports that its arguments name, and begins flows when
it is told to.

    prober.py PORT...

Each line of standard input is an object: `flows`, each `[ADDRESS, PROTOCOL, PORT, IS_AWAITED]`, and, in seconds, `patience`, how long those that
are awaited may take, and `quiet`, how long the others are waited for. All begin at once. The line that answers it has `true` for each flow that was
answered, `false` for one that was not, and what went wrong otherwise.

SCTP goes by a raw socket, since the kernel may be without it: an INIT is sent and answered by an INIT ACK (RFC 9260, 5.1), which is what a policy lets pass or
does not. IPv4 alone, as the testbed is."""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

# What is not answered is sent again after this; TCP does it by itself.
AGAIN = 1.0
# Ports that flows begin from.
FIRST, LAST = 10000, 60000
INIT, INIT_ACK, ABORT = 1, 2, 6
Answer = bool | str


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260, appendix A)."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


def sctp(source: int, destination: int, tag: int, chunk: bytes) -> bytes:
    header = struct.pack("!HHI", source, destination, tag)
    return header + struct.pack("<I", crc32c(header + bytes(4) + chunk)) + chunk


def init(kind: int, tag: int) -> bytes:
    """An INIT, or an INIT ACK with a cookie: tag, window, streams each way, first number."""
    body = struct.pack("!IIHHI", tag, 0x10000, 1, 1, 1)
    body += struct.pack("!HH", 7, 8) + b"here" if kind == INIT_ACK else b""
    return struct.pack("!BBH", kind, 0, 4 + len(body)) + body


@dataclass
class Flow:
    """One that was begun."""

    peer: tuple[str, int]
    protocol: str
    is_awaited: bool
    answer: Answer = False
    socket: socket.socket | None = None
    # Its port here.
    port: int = 0

    @property
    def is_done(self) -> bool:
        return self.answer is not False


@dataclass
class Prober:
    ports: list[int]
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    # By peer and the port here.
    associations: dict[tuple[str, int, int], Flow] = field(default_factory=dict)
    last_port: int = FIRST

    def listen(self) -> None:
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_SCTP)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.watch(self.raw, self.take_sctp)
        for port in self.ports:
            listener = socket.create_server(("0.0.0.0", port), backlog=512)
            self.watch(listener, partial(self.accept, listener))
            endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            endpoint.bind(("0.0.0.0", port))
            self.watch(endpoint, partial(self.echo, endpoint))

    def watch(self, it: socket.socket, then: Callable[[], None], events: int = selectors.EVENT_READ) -> None:
        it.setblocking(False)
        self.selector.register(it, events, then)

    def accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            self.watch(connection, partial(self.end, connection))

    def end(self, it: socket.socket) -> None:
        """When the client has: it sends nothing else. Its event may have been seen already, while a question was answered."""
        if it.fileno() < 0:
            return
        self.selector.unregister(it)
        it.close()

    @staticmethod
    def echo(endpoint: socket.socket) -> None:
        with suppress(OSError):
            received, client = endpoint.recvfrom(4096)
            endpoint.sendto(received, client)

    def take_sctp(self) -> None:
        with suppress(OSError):
            packet, (peer, _) = self.raw.recvfrom(4096)
            rest = packet[(packet[0] & 15) * 4 :]
            if len(rest) < 20:
                # An ABORT.
                return
            source, destination, _, _, kind, _, _, tag = struct.unpack("!HHIIBBHI", rest[:20])
            if kind == INIT and destination in self.ports:
                self.raw.sendto(sctp(destination, source, tag, init(INIT_ACK, 1)), (peer, 0))
            flow = self.associations.get((peer, source, destination))
            if kind == INIT_ACK and flow:
                flow.answer = True
                self.raw.sendto(sctp(destination, source, tag, struct.pack("!BBH", ABORT, 0, 4)), (peer, 0))

    def ask(self, flows: list[Flow], quiet: float, patience: float) -> list[Answer]:
        for flow in flows:
            self.begin(flow)
        began = again = time.monotonic()
        while True:
            now = time.monotonic()
            waits_for = [it for it in flows if not it.is_done]
            limit = patience if any(it.is_awaited for it in waits_for) else quiet
            if not waits_for or now - began > limit:
                break
            if now - again > AGAIN:
                again = now
                for flow in waits_for:
                    self.send(flow)
            self.turn(min(began + limit, again + AGAIN) - now)
        for flow in flows:
            if flow.socket:
                with suppress(KeyError):
                    self.selector.unregister(flow.socket)
                flow.socket.close()
        self.associations.clear()
        return [it.answer for it in flows]

    def turn(self, seconds: float | None) -> None:
        for key, _ in self.selector.select(seconds):
            key.data()

    def begin(self, flow: Flow) -> None:
        # One after the other: an agent counts a flow that it has denied once, however often it is tried.
        self.last_port = flow.port = self.last_port + 1 if self.last_port < LAST else FIRST
        try:
            if flow.protocol == "SCTP":
                self.associations[(*flow.peer, flow.port)] = flow
            elif flow.protocol == "UDP":
                flow.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                flow.socket.bind(("0.0.0.0", flow.port))
                flow.socket.connect(flow.peer)
                self.watch(flow.socket, partial(self.is_answered, flow))
            else:
                flow.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                # It ends by a reset, and leaves nothing behind.
                flow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                flow.socket.bind(("0.0.0.0", flow.port))
                self.watch(flow.socket, partial(self.is_connected, flow), selectors.EVENT_WRITE)
                with suppress(BlockingIOError):
                    flow.socket.connect(flow.peer)
            self.send(flow)
        except OSError as error:
            flow.answer = repr(error)

    def send(self, flow: Flow) -> None:
        with suppress(OSError):
            if flow.protocol == "SCTP":
                self.raw.sendto(sctp(flow.port, flow.peer[1], 0, init(INIT, flow.port)), (flow.peer[0], 0))
            elif flow.protocol == "UDP" and flow.socket:
                flow.socket.send(b"?")

    def is_connected(self, flow: Flow) -> None:
        assert flow.socket
        error = flow.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        flow.answer = os.strerror(error) if error else True
        self.selector.unregister(flow.socket)

    def is_answered(self, flow: Flow) -> None:
        assert flow.socket
        try:
            flow.socket.recv(4096)
            flow.answer = True
        except OSError as error:
            flow.answer = repr(error)
        self.selector.unregister(flow.socket)

    def obey(self) -> None:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        asked = json.loads(line)
        flows = [Flow((address, port), protocol, awaited) for address, protocol, port, awaited in asked["flows"]]
        print(json.dumps(self.ask(flows, asked["quiet"], asked["patience"])), flush=True)

    def run(self) -> None:
        self.listen()
        # One line is asked, and then answered: nothing is left in the buffer.
        self.selector.register(sys.stdin, selectors.EVENT_READ, self.obey)
        print("true", flush=True)
        while True:
            self.turn(None)


if __name__ == "__main__":
    Prober([int(it) for it in sys.argv[1:]]).run()
