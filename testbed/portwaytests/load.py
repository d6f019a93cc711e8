"""Steady requests over connections that are kept, every response counted. Run in the client's namespace.

    load.py ADDRESS [--tls] [--port PORT] --host NAME... [--path PATH]... [--post] [--connections N] [--pause SECONDS]

It ends, and prints what it has counted, when its standard input does. Nothing is ever sent twice: a request whose
response did not come is a failed request, whatever the reason."""

from __future__ import annotations

import argparse
import collections
import hashlib
import http.client
import json
import socket
import ssl
import sys
import threading
import time

SECONDS = 10


class Count:
    """What all connections have seen."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answered = 0
        self.failures: list[str] = []
        self.failed = 0
        self.answers: collections.Counter[str] = collections.Counter()
        self.certificates: collections.Counter[str] = collections.Counter()
        self.slowest = 0.0

    def succeeded(self, who: str, seconds: float) -> None:
        with self.lock:
            self.answered += 1
            self.answers[who] += 1
            self.slowest = max(self.slowest, seconds)

    def fell_short(self, why: str) -> None:
        with self.lock:
            self.failed += 1
            if len(self.failures) < 20:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {why}")


class Client(threading.Thread):
    """One connection after the other, one request after the other."""

    def __init__(self, asked: argparse.Namespace, number: int, count: Count, end: threading.Event) -> None:
        super().__init__(daemon=True)
        self.asked, self.count, self.end = asked, count, end
        self.number = number
        self.connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        sent = 0
        while not self.end.is_set():
            path = self.asked.path[(self.number + sent) % len(self.asked.path)]
            host = self.asked.host[(self.number + sent) % len(self.asked.host)]
            began = time.monotonic()
            try:
                self.request(host, path, sent, began)
            except (OSError, http.client.HTTPException) as error:
                self.count.fell_short(f"{host}{path} request {sent} after {time.monotonic() - began:.3f} s: {error!r}")
                self.connection = None
            sent += 1
            # Connections end now and then, so that new ones are made in every phase of a test.
            if sent % self.asked.requests == 0 and self.connection:
                self.connection.close()
                self.connection = None
            self.end.wait(self.asked.pause)

    def request(self, host: str, path: str, sent: int, began: float) -> None:
        connection = self.connection or self.connect()
        self.connection = connection
        body = f"{self.number}/{sent}".encode() * 100 if self.asked.post else None
        connection.request("POST" if body else "GET", path, body, {"Host": host})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        if response.will_close:
            self.connection = None
        if response.status != 200:
            self.count.fell_short(f"{host}{path} request {sent}: status {response.status} {text[:80]!r}")
        else:
            self.count.succeeded(who_answered(text), time.monotonic() - began)

    def connect(self) -> http.client.HTTPConnection:
        plain = socket.create_connection((self.asked.address, self.asked.port), timeout=SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = http.client.HTTPConnection(self.asked.address, self.asked.port, timeout=SECONDS)
        connection.sock = plain
        if self.asked.tls:
            # The certificates of tests are their own authorities; which one was shown is what they ask.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection.sock = context.wrap_socket(plain, server_hostname=self.asked.host[0])
            shown = hashlib.sha256(connection.sock.getpeercert(binary_form=True)).hexdigest()
            with self.count.lock:
                self.count.certificates[shown] += 1
        return connection


def who_answered(text: str) -> str:
    """The pod's name, of the page of the demo backend."""
    for line in text.splitlines():
        if line.startswith("Server name: "):
            return line.removeprefix("Server name: ")
    return "?"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--host", action="append", required=True, help="one or several, asked for in turn")
    parser.add_argument("--path", action="append")
    parser.add_argument("--post", action="store_true")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--requests", type=int, default=50, help="on one connection")
    parser.add_argument("--pause", type=float, default=0.02, help="between two requests of one connection")
    asked = parser.parse_args()
    asked.path = asked.path or ["/"]
    count, end = Count(), threading.Event()
    clients = [Client(asked, number, count, end) for number in range(asked.connections)]
    for client in clients:
        client.start()
    sys.stdin.read()
    end.set()
    for client in clients:
        client.join(SECONDS + 1)
    told = {"answered": count.answered, "failed": count.failed, "failures": count.failures}
    told |= {"answers": count.answers, "certificates": count.certificates, "slowest": round(count.slowest, 3)}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
