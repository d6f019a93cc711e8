"""What is measured at layer 4. Each balancer serves all three ports at once, and each scenario loads one of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Transport(Enum):
    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True)
class Service:
    """What the balancers publish: they listen on `port` and lead to the same port of the pod."""

    name: str
    transport: Transport
    port: int


STREAM = Service("stream", Transport.TCP, 5201)
"""iperf3."""
CONNECTIONS = Service("connections", Transport.TCP, 8080)
"""`programs/one_answer.c`."""
DATAGRAMS = Service("datagrams", Transport.UDP, 11111)
"""`programs/bounce.c`."""
SERVICES = [STREAM, CONNECTIONS, DATAGRAMS]


class Counted(Enum):
    """What is counted, and where: bytes and packets at the interfaces that they arrive at."""

    BYTES_TO_CLIENT = "bytes to the client"
    BYTES_BOTH_WAYS = "bytes to client and pod"
    PACKETS_BOTH_WAYS = "packets to client and pod"
    CONNECTIONS = "connections that were served"

    @property
    def is_bytes(self) -> bool:
        return self in (Counted.BYTES_TO_CLIENT, Counted.BYTES_BOTH_WAYS)


@dataclass(frozen=True)
class Unit:
    """What is counted, and as what it is shown: bits, bytes, connections or packets in larger measures."""

    counted: Counted
    rate: str
    rate_scale: float
    work: str
    """What CPU time is given for."""
    work_scale: float


@dataclass(frozen=True)
class L4Scenario:
    name: str
    title: str
    service: Service
    unit: Unit
    datagram: int = 0
    """Bytes of a datagram."""


THROUGHPUT = L4Scenario(
    "l4-tcp-stream",
    "TCP, 4 connections that download at full speed",
    STREAM,
    Unit(Counted.BYTES_TO_CLIENT, "Gbit/s", 1e9, "GB", 1e9),
)
NEW_CONNECTIONS = L4Scenario(
    "l4-tcp-connect",
    "TCP, 32 clients; a connection for each request, with an answer of 100 bytes",
    CONNECTIONS,
    Unit(Counted.CONNECTIONS, "conn/s", 1, "1000 conn", 1e3),
)
PACKETS = L4Scenario(
    "l4-udp",
    "UDP, one flow of 64-byte datagrams that are sent back, 64 of them under way",
    DATAGRAMS,
    Unit(Counted.PACKETS_BOTH_WAYS, "pkt/s", 1, "1000 pkt", 1e3),
    datagram=64,
)
LARGE_PACKETS = L4Scenario(
    "l4-udp-1400",
    "UDP, the same with 1400 bytes",
    DATAGRAMS,
    Unit(Counted.BYTES_BOTH_WAYS, "Gbit/s", 1e9, "GB", 1e9),
    datagram=1400,
)
PREFIX = "l4-"
"""Of the names, which the command line shares with the other scenarios."""
ALL = [THROUGHPUT, NEW_CONNECTIONS, PACKETS, LARGE_PACKETS]


def chosen(names: list[str]) -> list[L4Scenario]:
    """The scenarios of these names, in the order of `ALL`. Raises `ValueError` for an unknown name."""
    unknown = set(names) - {scenario.name for scenario in ALL}
    if unknown:
        raise ValueError(f"no scenario is called {', '.join(sorted(unknown))}")
    return [scenario for scenario in ALL if scenario.name in names]
