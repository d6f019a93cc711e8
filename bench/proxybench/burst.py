"""One measurement of one lane: a short burst at saturation, and one at a fixed rate."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from .backend import Backend
from .lane import Lane, LaneFailure
from .load import Latency, Saturate, Saturation, pace
from .machine import Cores, core_busy_nanoseconds, established_connections
from .process import cpu_nanoseconds


@dataclass(frozen=True)
class Tools:
    """The load generators' programs; `vegeta` is None where it cannot be had, and latency is then not measured."""

    h2load: Path
    vegeta: Path | None


@dataclass(frozen=True)
class Burst:
    """Figures of one burst at saturation."""

    cpu_microseconds: float
    """CPU time of the proxy's processes for each request; 0 where there is no proxy."""
    requests_per_second: float
    proxy_busy: float
    """Share of its core that the proxy used, 0 to 1. Well under 1 means that the load side limited the rate."""
    others_busy: float
    """Share of the proxy's core that went to anything else: noise of the machine."""
    errors: int


@dataclass(frozen=True)
class _Sample:
    """Everything that is counted, read at one moment."""

    nanoseconds: int
    responses: int
    proxy_cpu: int
    core_busy: int


def saturate(lane: Lane, tools: Tools, backend: Backend, cores: Cores, seconds: float) -> Burst:
    """Loads the proxy as far as it goes, and reads its counters twice, `seconds` apart, once the load is steady."""
    lane.check_running()
    tree = lane.tree()
    connections = lane.scenario.connections
    # Time for all connections, and TLS handshakes, to be made before the first reading.
    ramp = 0.25 + connections * (0.002 if lane.scenario.protocol.is_tls else 0.0005)
    load = Saturate(tools.h2load, lane.target, ramp + seconds + 0.25, cores, lane.directory)
    try:
        time.sleep(ramp)
        before = _sample(tree, backend, cores)
        time.sleep(seconds)
        after = _sample(tree, backend, cores)
        in_time = load.process.is_running()
        lost = connections - established_connections(lane.target.port)
        counted = load.result()
    finally:
        load.process.stop()
    lane.check_running()
    if not in_time:
        raise LaneFailure("the load ended before the second reading; the machine is too busy to measure")
    return _burst(lane, before, after, counted, lost)


def latency(lane: Lane, tools: Tools, cores: Cores, seconds: float) -> Latency | None:
    """Times requests at the scenario's rate; None where there is nothing to do it with."""
    lane.check_running()
    if tools.vegeta is None:
        return None
    return pace(tools.vegeta, lane.target, seconds, cores.load, lane.directory)


def _sample(tree: list[int], backend: Backend, cores: Cores) -> _Sample:
    return _Sample(time.monotonic_ns(), backend.responses(), cpu_nanoseconds(tree), core_busy_nanoseconds(cores.proxy))


def _burst(lane: Lane, before: _Sample, after: _Sample, counted: Saturation, lost: int) -> Burst:
    elapsed = after.nanoseconds - before.nanoseconds
    responses = after.responses - before.responses
    cpu = after.proxy_cpu - before.proxy_cpu
    if responses == 0:
        raise LaneFailure(f"no request was answered under load ({counted.errors} errors)")
    # What h2load took for success must have carried its whole body.
    truncated = 1 if counted.body_bytes < counted.succeeded * lane.scenario.body else 0
    return Burst(
        cpu_microseconds=cpu / responses / 1000,
        requests_per_second=responses * 1e9 / elapsed,
        proxy_busy=cpu / elapsed,
        others_busy=max(0.0, (after.core_busy - before.core_busy - cpu) / elapsed) if lane.process else 0.0,
        errors=counted.errors + max(0, lost) + truncated,
    )
