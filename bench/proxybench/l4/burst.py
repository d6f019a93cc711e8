"""One measurement: the load at full speed, and two readings of all counters while it is steady.

The work of a node is that of its core (see `network`), in two accounts: what its processes have run, and what the core
did in interrupts. `node_work` says how they are put together.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ..machine import Cores, CoreTime, core_time
from ..process import cpu_nanoseconds
from .lane import L4Lane, L4LaneFailure
from .load import Load
from .network import Network
from .scenario import Counted, L4Scenario
from .servers import L4Tools, Servers

RAMP_SECONDS = 0.5
"""Until the load is steady: all connections made, buffers as large as they get."""
SPARE_SECONDS = 0.3


@dataclass(frozen=True)
class Scene:
    """What all measurements of a run share."""

    tools: L4Tools
    network: Network
    servers: Servers
    cores: Cores
    directory: Path


@dataclass(frozen=True)
class L4Burst:
    per_second: float
    """Bits, connections or packets in a second."""
    nanoseconds_per_unit: float
    """CPU time of the node for a byte, a connection or a packet."""
    node_busy: float
    """Share of its core that the node's work took, 0 to 1."""
    others_busy: float
    """Share of the node's core that went to anything else: noise of the machine."""
    errors: int


@dataclass(frozen=True)
class _Sample:
    nanoseconds: int
    units: int
    process: int
    core: CoreTime


def measure(lane: L4Lane, scenario: L4Scenario, scene: Scene, seconds: float) -> L4Burst:
    lane.check_running()
    scene.servers.check_running()
    ksoftirqd = _ksoftirqd(scene.cores.proxy)
    accounts = lane.tree() + ksoftirqd
    # The load generators know whole seconds alone.
    whole = float(int(RAMP_SECONDS + seconds + SPARE_SECONDS) + 1)
    load = Load(scenario, scene.tools, scene.network.client, lane.address, whole, lane.directory)
    try:
        time.sleep(RAMP_SECONDS)
        before = _sample(scenario, scene, accounts)
        time.sleep(seconds)
        after = _sample(scenario, scene, accounts)
        in_time = load.is_running()
        errors = load.errors()
    finally:
        load.stop()
    lane.check_running()
    lane.check_path()
    if not in_time:
        raise L4LaneFailure("the load ended before the second reading; the machine is too busy to measure")
    return _burst(scenario, before, after, errors)


def node_work(process: int, interrupts: int, elapsed: int) -> int:
    """CPU time of the node, of what its processes ran and what the core did in interrupts meanwhile.

    The kernel here charges an interrupt's time to whichever process it interrupted, so the two overlap: an interrupt
    that hits the balancer's process is in both. The larger one is taken. It is exact where the kernel alone forwards,
    and where a process takes the whole core; in between it leaves something out, in favour of balancers in user space.
    """
    return min(elapsed, max(process, interrupts))


def _ksoftirqd(core: int) -> list[int]:
    """The kernel's thread that does the core's network work when there is much of it."""
    wanted = f"ksoftirqd/{core}\n"
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text() == wanted:
                return [int(comm.parent.name)]
        except OSError:
            continue
    return []


def _sample(scenario: L4Scenario, scene: Scene, accounts: list[int]) -> _Sample:
    units, core = _units(scenario.unit.counted, scene), core_time(scene.cores.proxy)
    return _Sample(time.monotonic_ns(), units, cpu_nanoseconds(accounts), core)


def _units(counted: Counted, scene: Scene) -> int:
    """What has arrived so far; what was lost on the way is not counted."""
    if counted is Counted.CONNECTIONS:
        return scene.servers.connections()
    client, pod = scene.network.client.received(), scene.network.pod.received()
    return {
        Counted.BYTES_TO_CLIENT: client.bytes,
        Counted.BYTES_BOTH_WAYS: client.bytes + pod.bytes,
        Counted.PACKETS_BOTH_WAYS: client.packets + pod.packets,
    }[counted]


def _burst(scenario: L4Scenario, before: _Sample, after: _Sample, errors: int) -> L4Burst:
    elapsed = after.nanoseconds - before.nanoseconds
    units = after.units - before.units
    if units <= 0:
        raise L4LaneFailure(f"nothing came through under load ({errors} errors)")
    interrupts = after.core.interrupts - before.core.interrupts
    work = node_work(after.process - before.process, interrupts, elapsed)
    bits = 8 if scenario.unit.counted.is_bytes else 1
    return L4Burst(
        per_second=units * bits * 1e9 / elapsed,
        nanoseconds_per_unit=work / units,
        node_busy=work / elapsed,
        others_busy=max(0.0, (after.core.busy - before.core.busy - work) / elapsed),
        errors=errors,
    )
