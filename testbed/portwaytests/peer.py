"""Both ends of connections that say nothing but who they are, over TCP and UDP.

    peer.py serve NAME                    in a pod's network namespace
    peer.py load ADDRESS [--pause SECONDS] [--connections N] [--quiet N]
                                          in the client's: until its standard input ends; prints what it has counted
    peer.py ask ADDRESS [--times N]       new connections, one after the other; prints who answered how often

Servers listen on port 7000 (TCP), 7001 (UDP) and 7002 (HTTP, and tell what `X-Forwarded-For` they got); listeners on the first two. They answer each connection and each datagram with a line
that names themselves and their client, and send back each line of a connection."""

from __future__ import annotations

import argparse
import collections
import http.server
import json
import socket
import sys
import threading
import time

TCP, UDP, HTTP = 7000, 7001, 7002
# After this nothing is expected to come any more.
SECONDS = 8.0
# For a datagram; the next one follows.
DATAGRAM_SECONDS = 0.05
# Between two exchanges of a quiet connection.
QUIET_SECONDS = 2.5
# Of the new connections one of so many stays, and says nothing until the end.
KEEP_EVERY = 20


def serve(name: str) -> None:
    listener = socket.create_server(("0.0.0.0", TCP), backlog=512)
    threading.Thread(target=serve_datagrams, args=(name,), daemon=True).start()
    threading.Thread(target=http.server.HTTPServer(("0.0.0.0", HTTP), Told).serve_forever, daemon=True).start()
    while True:
        connection, client = listener.accept()
        threading.Thread(target=echo, args=(connection, f"{name} {client[0]}\n".encode()), daemon=True).start()


def echo(connection: socket.socket, greeting: bytes) -> None:
    with connection:
        try:
            connection.sendall(greeting)
            while received := connection.recv(4096):
                connection.sendall(received)
        except OSError:
            # The client's affair.
            return


def serve_datagrams(name: str) -> None:
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.bind(("0.0.0.0", UDP))
    while True:
        _, client = endpoint.recvfrom(4096)
        endpoint.sendto(f"{name} {client[0]}\n".encode(), client)


class Told(http.server.BaseHTTPRequestHandler):
    """Answers with what a proxy tells of the client."""

    def do_GET(self) -> None:
        told = self.headers.get("X-Forwarded-For", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Nothing: it would stand between what tests say."""


def connect(address: str, seconds: float = SECONDS) -> tuple[socket.socket, str, str]:
    """A connection, and who answered whom."""
    connection = socket.create_connection((address, TCP), timeout=seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name, client = line(connection).split()
    return connection, name, client


def line(connection: socket.socket) -> str:
    received = b""
    while not received.endswith(b"\n"):
        more = connection.recv(4096)
        if not more:
            raise ConnectionError("the other side has ended it")
        received += more
    return received.decode()


class Count:
    """What all have seen."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.established: list[str] = []
        self.new: list[str] = []
        self.answers: collections.Counter[str] = collections.Counter()
        self.exchanges = self.connections = self.datagrams = 0
        self.pauses: dict[str, float] = {"established": 0.0, "new": 0.0, "datagrams": 0.0}

    def failed(self, which: list[str], why: str) -> None:
        with self.lock:
            which.append(f"{time.strftime('%H:%M:%S')} {why}")

    def took(self, what: str, since: float) -> None:
        with self.lock:
            self.pauses[what] = max(self.pauses[what], time.monotonic() - since)


def keep(address: str, count: Count, pause: float, end: threading.Event) -> None:
    """One connection from the beginning to the end."""
    name = "?"
    try:
        connection, name, _ = connect(address)
        with connection:
            number = 0
            while not end.wait(pause):
                number += 1
                began = time.monotonic()
                connection.sendall(f"{number}\n".encode())
                if line(connection) != f"{number}\n":
                    raise ConnectionError("what came back is not what was sent")
                count.took("established", began)
                with count.lock:
                    count.exchanges += 1
    except OSError as error:
        count.failed(count.established, f"to {name}: {error!r}")


def begin(address: str, count: Count, pause: float, end: threading.Event, *, keeps: bool = False) -> None:
    """One new connection after the other."""
    kept: list[tuple[socket.socket, str, str]] = []
    while not end.wait(pause):
        began = time.monotonic()
        try:
            connection, name, _ = connect(address)
            with count.lock:
                count.connections += 1
                count.answers[name] += 1
                is_kept = keeps and count.connections % KEEP_EVERY == 0
            if is_kept:
                kept.append((connection, name, time.strftime("%H:%M:%S")))
            else:
                connection.close()
        except OSError as error:
            count.failed(count.new, repr(error))
        count.took("new", began)
    for connection, name, since in kept:
        try:
            with connection:
                connection.sendall(b"still there\n")
                line(connection)
        except OSError as error:
            count.failed(count.established, f"to {name}, silent since {since}: {error!r}")


def send(address: str, count: Count, pause: float, end: threading.Event) -> None:
    """One datagram after the other; how long nothing came back."""
    endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    endpoint.connect((address, UDP))
    endpoint.settimeout(DATAGRAM_SECONDS)
    last = time.monotonic()
    while not end.wait(pause):
        try:
            endpoint.send(b"?")
            endpoint.recv(4096)
        except OSError:
            continue
        count.took("datagrams", last)
        last = time.monotonic()
        with count.lock:
            count.datagrams += 1
    count.took("datagrams", last)


def load(address: str, pause: float, connections: int, quiet: int) -> None:
    count, end = Count(), threading.Event()
    threads = [threading.Thread(target=keep, args=(address, count, pause, end)) for _ in range(connections)]
    threads += [threading.Thread(target=keep, args=(address, count, QUIET_SECONDS, end)) for _ in range(quiet)]
    threads += [threading.Thread(target=send, args=(address, count, pause, end))]
    threads += [threading.Thread(target=begin, args=(address, count, pause, end), kwargs={"keeps": quiet > 0})]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    end.set()
    for thread in threads:
        thread.join()
    told = {name: getattr(count, name) for name in ("established", "new", "answers", "pauses")}
    told |= {name: getattr(count, name) for name in ("exchanges", "connections", "datagrams")}
    json.dump(told, sys.stdout)


def datagram(address: str) -> str:
    """What comes back. One that is lost is no fault, several in sequence are."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.settimeout(SECONDS / 8)
        endpoint.connect((address, UDP))
        for _ in range(4):
            endpoint.send(b"?")
            try:
                return endpoint.recv(4096).decode().strip()
            except TimeoutError:
                continue
    raise TimeoutError("nothing has come back")


def ask(address: str, times: int) -> None:
    """`NAME CLIENT` with how often, and the same of datagrams."""
    answers: collections.Counter[str] = collections.Counter()
    for _ in range(times):
        connection, name, client = connect(address)
        connection.close()
        answers[f"{name} {client}"] += 1
    datagrams: collections.Counter[str] = collections.Counter()
    for _ in range(min(times, 20)):
        datagrams[datagram(address)] += 1
    json.dump({"connections": answers, "datagrams": datagrams}, sys.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["serve", "load", "ask"])
    parser.add_argument("at", help="a name to serve under, or the address to ask")
    parser.add_argument("--pause", type=float, default=0.02, help="between two exchanges")
    parser.add_argument("--connections", type=int, default=8, help="that are kept")
    parser.add_argument("--quiet", type=int, default=0, help="that are kept and say little; then new ones are kept too")
    parser.add_argument("--times", type=int, default=20)
    asked = parser.parse_args()
    if asked.what == "serve":
        serve(asked.at)
    elif asked.what == "load":
        load(asked.at, asked.pause, asked.connections, asked.quiet)
    else:
        ask(asked.at, asked.times)


if __name__ == "__main__":
    main()
