"""The load generators, neither of them ours: h2load to saturate a proxy, vegeta to time requests at a fixed rate."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from .certificate import Certificate
from .machine import Cores
from .process import Process
from .scenario import Protocol, Scenario

TLS13_CIPHER = "TLS_AES_128_GCM_SHA256"
"""The one cipher suite that is offered, so that all proxies encrypt alike."""
MOST_THREADS = 4
# Length of a field of vegeta's report at most; a body of 100 KiB is one of them.
MOST_BODY_FIELD = 1 << 24
MOST_PACED_CONNECTIONS = 16
"""At a rate that saturates no proxy, few requests are in flight at a time, whatever the scenario's connections."""
WARM_UP_SECONDS = 0.3
FEWEST_PACED_REQUESTS = 100
"""Fewer than these have no 99th percentile."""


@dataclass(frozen=True)
class Target:
    """Where a proxy listens, and what is asked of it."""

    scenario: Scenario
    port: int
    certificate: Certificate


@dataclass(frozen=True)
class Saturation:
    """What h2load counted."""

    succeeded: int
    errors: int
    body_bytes: int


@dataclass(frozen=True)
class Latency:
    """Times of requests that were sent at a fixed rate, whether or not earlier ones had been answered."""

    p50_microseconds: float
    p99_microseconds: float
    achieved_rate: float
    """Answered requests per second; below the rate that was asked for if the proxy could not keep up."""
    errors: int


class Saturate:
    """h2load, under way: as many requests as the proxy answers, each connection with a fixed number in flight."""

    def __init__(self, program: Path, target: Target, seconds: float, cores: Cores, directory: Path) -> None:
        self._output = directory / "h2load.out"
        argv = _h2load(program, target, seconds, threads=max(1, min(len(cores.load) - 1, MOST_THREADS)))
        with self._output.open("wb") as output:
            self.process = Process(argv, cores.load, directory / "h2load.log", stdout=output)

    def result(self) -> Saturation:
        """Waits for the end and reads what h2load printed."""
        self.process.wait(30)
        return parse_h2load(self._output.read_text())


def _h2load(program: Path, target: Target, seconds: float, threads: int) -> list[str]:
    scenario = target.scenario
    options = [
        f"--threads={min(threads, scenario.connections)}",
        f"--clients={scenario.connections}",
        f"--max-concurrent-streams={scenario.streams}",
        f"--duration={round(seconds * 1000)}ms",
        f"--connect-to=127.0.0.1:{target.port}",
    ]
    if not scenario.protocol.is_h2:
        options.append("--h1")
    if scenario.protocol.is_tls:
        options.append(f"--tls13-ciphers={TLS13_CIPHER}")
    return [str(program), *options, *(scenario.url(path) for path in scenario.paths())]


def parse_h2load(output: str) -> Saturation:
    """Reads h2load's summary. Answers other than 2xx, failures, errors and time-outs all count as errors."""
    requests = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    codes = re.search(r"(\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", output)
    data = re.search(r"\((\d+)\) data", output)
    if not (requests and codes and data):
        raise RuntimeError(f"h2load printed no summary but: {output.strip()[-200:]}")
    succeeded, failed, errored, timed_out = map(int, requests.groups())
    # A redirect "succeeds" for h2load, and what failed by status is in `failed` already.
    redirected = int(codes.group(2))
    return Saturation(succeeded - redirected, failed + errored + timed_out + redirected, int(data.group(1)))


def pace(program: Path, target: Target, seconds: float, cores: Sequence[int], directory: Path) -> Latency:
    """Sends requests at the scenario's rate for some seconds and returns how long they took.

    The rate does not yield to a slow proxy (the loop is open): requests are sent when they are due. They begin a little
    earlier than what is counted, so that connections and TLS handshakes are out of the way.
    """
    scenario = target.scenario
    targets = directory / "vegeta.targets"
    targets.write_text("\n".join(_vegeta_target(target, path) for path in scenario.paths()))
    samples = directory / "vegeta.samples"
    connections = min(scenario.connections, MOST_PACED_CONNECTIONS)
    options = [
        *["attack", f"-targets={targets}", f"-output={samples}", "-timeout=5s"],
        *[f"-rate={scenario.rate}/1s", f"-duration={round((WARM_UP_SECONDS + seconds) * 1000)}ms"],
        *[f"-connections={connections}", f"-max-connections={connections}"],
        *[f"-root-certs={target.certificate.certificate}", f"-http2={str(scenario.protocol.is_h2).lower()}"],
        f"-connect-to={scenario.routes.requested_host()}:443:127.0.0.1:{target.port}",
    ]
    if scenario.protocol is Protocol.H2C:
        options.append("-h2c")
    threads = {"GOMAXPROCS": str(len(cores))}
    _finish(Process([str(program), *options], cores, directory / "vegeta.log", environment=threads), seconds + 20)
    rows = directory / "vegeta.csv"
    argv = [str(program), "encode", "-to=csv", f"-output={rows}", str(samples)]
    _finish(Process(argv, cores, directory / "vegeta.log"), 20)
    return parse_vegeta(rows.read_text(), scenario.body)


def _vegeta_target(target: Target, path: str) -> str:
    """A request in vegeta's format. In clear text the name is in the Host header, over TLS in the URL, for SNI."""
    host = target.scenario.routes.requested_host()
    if target.scenario.protocol.is_tls:
        return f"GET https://{host}{path}\n"
    return f"GET http://127.0.0.1:{target.port}{path}\nHost: {host}\n"


def _finish(process: Process, seconds: float) -> None:
    try:
        status = process.wait(seconds)
    finally:
        process.stop()
    if status != 0:
        raise RuntimeError(f"vegeta failed: {process.last_words()}")


def parse_vegeta(rows: str, body: int) -> Latency:
    """Reads vegeta's samples as CSV; an answer that is not 200, or a body of another length, counts as error."""
    # Each row holds the whole body, in base64.
    csv.field_size_limit(MOST_BODY_FIELD)
    samples = sorted(map(_paced_request, csv.reader(rows.splitlines())))
    if not samples:
        raise RuntimeError("vegeta recorded no request")
    counted = [sample for sample in samples if sample.sent >= samples[0].sent + WARM_UP_SECONDS * 1e9]
    if len(counted) < FEWEST_PACED_REQUESTS:
        raise RuntimeError(f"vegeta recorded only {len(counted)} requests after the warm-up")
    times = quantiles((sample.nanoseconds for sample in counted), n=100)
    elapsed = max(sample.sent + sample.nanoseconds for sample in counted) - counted[0].sent
    right = sum(sample.status == "200" and sample.body == body for sample in samples)
    return Latency(
        p50_microseconds=times[49] / 1000,
        p99_microseconds=times[98] / 1000,
        achieved_rate=len(counted) * 1e9 / elapsed,
        errors=len(samples) - right,
    )


class _PacedRequest(NamedTuple):
    sent: int
    """Nanoseconds since the epoch."""
    nanoseconds: int
    status: str
    body: int


def _paced_request(row: list[str]) -> _PacedRequest:
    """A row of `vegeta encode -to=csv`: time sent, status, latency, bytes out, bytes in, and more."""
    return _PacedRequest(sent=int(row[0]), nanoseconds=int(row[2]), status=row[1], body=int(row[4]))
