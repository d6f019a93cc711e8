"""One client, one pod, and between them a node for each balancer: all on this machine, none of it visible outside.

Node 3, for example, has the address 198.18.3.1 on the client's side (networks for benchmarks, RFC 2544) and 10.18.3.1
on the pod's. Client and pod have an address and an interface towards each node, so that one load generator and one set
of servers do for all, and what comes from whom is told by addresses alone.

What the nodes receive is worked on by the first core, what client and pod receive by the others. So all work of
forwarding is on the first core, whoever does it: kernel or proxy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..machine import Cores
from .host import Host

MOST_NODES = 16
"""Namespaces are not free: each has its own timers and tables."""

TUNING = {
    "ipv4/tcp_tw_reuse": "1",
    # Portway has its own ports from 61000 on.
    "ipv4/ip_local_port_range": "'1024 60999'",
    # Else who masquerades runs out of source ports within a few bursts.
    "netfilter/nf_conntrack_tcp_timeout_time_wait": "1",
}
"""Of every host: tens of thousands of short connections between the same two addresses."""


@dataclass(frozen=True)
class Node:
    """A node that forwards between client and pod."""

    number: int
    host: Host

    @property
    def client_address(self) -> str:
        return f"198.18.{self.number}.2"

    @property
    def address(self) -> str:
        """At which its balancer serves."""
        return f"198.18.{self.number}.1"

    @property
    def pod_address(self) -> str:
        return f"10.18.{self.number}.2"

    @property
    def pod_network(self) -> str:
        return f"10.18.{self.number}.0/24"


class Network:
    """Client and pod; nodes are added. `stop` removes all of it."""

    def __init__(self, cores: Cores, directory: Path) -> None:
        self._cores = cores
        self._directory = directory
        self._hosts: list[Host] = []
        try:
            self.client = self._host("client", cores.load)
            self.pod = self._host("pod", cores.load)
        except BaseException:
            self.stop()
            raise

    def _host(self, name: str, cores: tuple[int, ...]) -> Host:
        host = Host(name, self._directory, cores)
        self._hosts.append(host)
        for knob, value in TUNING.items():
            host.set(knob, value)
        return host

    def add_node(self) -> Node:
        number = len(self._hosts) - 1
        if number > MOST_NODES:
            raise RuntimeError(f"more than {MOST_NODES} nodes")
        node = Node(number, self._host(f"node{number}", (self._cores.proxy,)))
        host = node.host
        host.ip(
            f"link add client type veth peer name node{number} netns {self.client.pid}",
            f"link add pod type veth peer name node{number} netns {self.pod.pid}",
            f"address add {node.address}/24 dev client",
            f"address add 10.18.{number}.1/24 dev pod",
            "link set client up",
            "link set pod up",
        )
        host.set("ipv4/ip_forward", "1")
        for end, address, way in (
            (self.client, node.client_address, f"{node.pod_network} via {node.address}"),
            (self.pod, node.pod_address, f"198.18.{number}.0/24 via 10.18.{number}.1"),
        ):
            end.ip(
                f"address add {address}/24 dev node{number}",
                f"link set node{number} up",
                f"route add {way}",
            )
            end.receive_on(f"node{number}", self._cores.load)
        for interface in ("client", "pod"):
            host.receive_on(interface, [self._cores.proxy])
        return node

    def stop(self) -> None:
        """The nodes first: no interface goes while something uses it."""
        for host in reversed(self._hosts):
            host.stop()
