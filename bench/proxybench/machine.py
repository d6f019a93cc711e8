"""The machine: its cores, how busy they are, its ports, and what a reader of the figures must know of it."""

from __future__ import annotations

import os
import platform
import random
import resource
import socket
from dataclasses import dataclass
from pathlib import Path

CLOCK_TICK_NANOSECONDS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
TCP_ESTABLISHED = "01"
LISTENING_PORTS = (12000, 32000)


@dataclass(frozen=True)
class Cores:
    """Which cores the proxy under test and the load side (load generator and backend) run on; they never share one."""

    proxy: int
    load: tuple[int, ...]


def available_cores() -> Cores:
    """The first core for the proxy, all others that this process may use for the load."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("the benchmark needs two cores: one for the proxy, one for load generator and backend")
    return Cores(proxy=cores[0], load=tuple(cores[1:]))


def allow_many_connections() -> None:
    """Raises the limit of open files, which the children inherit, as far as it goes without privileges."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def take_priority() -> None:
    """Puts this process, and all that it starts from now on, before every ordinary process. Needs root.

    On a machine with other work the proxies then have their core to themselves as long as they want it. The kernel
    still leaves the others 5 % of the time (`kernel.sched_rt_runtime_us`).
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError as error:
        raise RuntimeError("--priority needs root, for it asks for real-time scheduling") from error


def free_port() -> int:
    """A random port of 127.0.0.1 on which nothing listens at the moment.

    It is picked below the range from which the kernel numbers outgoing connections: in that range a connection of
    another program could take the port before the proxy listens on it.
    """
    while True:
        port = random.randrange(*LISTENING_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def established_connections(port: int) -> int:
    """How many connections a server on this port has open."""
    wanted = f":{port:04X}"
    rows = [line.split() for tcp in ("tcp", "tcp6") for line in _lines(f"/proc/net/{tcp}")[1:]]
    return sum(1 for row in rows if row[1].endswith(wanted) and row[3] == TCP_ESTABLISHED)


@dataclass(frozen=True)
class CoreTime:
    """What a core has spent its time on, in nanoseconds, at the resolution of clock ticks."""

    busy: int
    """With anything, the hypervisor's theft included."""
    interrupts: int
    """In interrupts, soft ones included: that is where the kernel forwards packets."""


def core_time(core: int) -> CoreTime:
    for line in _lines("/proc/stat"):
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            busy = user + nice + system + irq + softirq + steal
            return CoreTime(busy * CLOCK_TICK_NANOSECONDS, (irq + softirq) * CLOCK_TICK_NANOSECONDS)
    raise RuntimeError(f"/proc/stat does not list core {core}")


def core_busy_nanoseconds(core: int) -> int:
    """Time that the core has spent on anything, the hypervisor's theft included, at the resolution of clock ticks."""
    return core_time(core).busy


def description() -> dict[str, str | int | float]:
    """What the figures depend on: processor, cores, kernel, and how busy the machine was at the start."""
    models = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
