"""The load generators, neither of them ours: h2load to saturate a proxy, vegeta to time requests at a fixed rate."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from .certificate import Certificate
from .machine import Cores
from .process import Process
from .scenario import Protocol, Scenario

TLS13_CIPHER = "TLS_AES_128_GCM_SHA256"
"""The one cipher suite that is offered, so that all proxies encrypt alike."""
MOST_THREADS = 4


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

    The rate does not yield to a slow proxy (the loop is open): requests are sent when they are due, over as many
    connections as that takes, up to the scenario's number.
    """
    scenario = target.scenario
    targets = directory / "vegeta.targets"
    targets.write_text("\n".join(_vegeta_target(target, path) for path in scenario.paths()))
    samples = directory / "vegeta.samples"
    options = [
        *["attack", f"-targets={targets}", f"-output={samples}"],
        *[f"-rate={scenario.rate}/1s", f"-duration={round(seconds * 1000)}ms"],
        *[f"-connections={scenario.connections}", f"-max-connections={scenario.connections}", "-timeout=5s"],
        *[f"-root-certs={target.certificate.certificate}", f"-http2={str(scenario.protocol.is_h2).lower()}"],
        f"-connect-to={scenario.routes.requested_host()}:443:127.0.0.1:{target.port}",
    ]
    if scenario.protocol is Protocol.H2C:
        options.append("-h2c")
    threads = {"GOMAXPROCS": str(len(cores))}
    _finish(Process([str(program), *options], cores, directory / "vegeta.log", environment=threads), seconds + 20)
    report = directory / "vegeta.json"
    argv = [str(program), "report", "-type=json", f"-output={report}", str(samples)]
    _finish(Process(argv, cores, directory / "vegeta.log"), 20)
    return parse_vegeta(report.read_text(), scenario.body)


def _vegeta_target(target: Target, path: str) -> str:
    """A request in vegeta's format. In clear text the name is in the Host header, over TLS in the URL for SNI's sake."""
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


def parse_vegeta(report: str, body: int) -> Latency:
    """Reads vegeta's JSON report; an answer that is not 200, or a mean body of another length, counts as error."""
    figures = json.loads(report)
    right = figures["status_codes"].get("200", 0)
    truncated = 0 if figures["bytes_in"]["total"] == right * body else 1
    return Latency(
        p50_microseconds=figures["latencies"]["50th"] / 1000,
        p99_microseconds=figures["latencies"]["99th"] / 1000,
        achieved_rate=figures["throughput"],
        errors=figures["requests"] - right + truncated,
    )
