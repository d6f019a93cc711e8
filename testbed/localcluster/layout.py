"""What a cluster is called and which addresses it has: all that follows from its name and number."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

DEFAULT_NAME = "portway"

# Not /run, where programs may not be executed, nor /tmp, where anyone could have been before.
CLUSTERS = Path(os.environ.get("PORTWAY_CLUSTERS", "/var/lib/portway-testbed"))

# So many clusters can stand side by side: each takes a /16 out of 10.64/10 and another out of 10.128/10.
MAX_CLUSTERS = 64
MAX_NODES = 9

# TEST-NET-2 (RFC 5737): an address that no cluster can give.
UNUSABLE_ADDRESS = IPv4Address("198.51.100.7")


class ClusterError(Exception):
    """What went wrong, and what to do about it, for whoever called."""


@dataclass(frozen=True)
class Layout:
    """Names and addresses of one cluster. No two that stand at the same time share any of them."""

    name: str
    number: int
    nodes: int

    @property
    def state(self) -> Path:
        return CLUSTERS / self.name

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def bpffs(self) -> Path:
        """Where eBPF programs are kept: the cluster's own, so that nodes of two clusters do not take each other's."""
        return self.state / "bpf"

    def node_state(self, node: int) -> Path:
        return self.state / self.node_name(node)

    @property
    def node_numbers(self) -> range:
        return range(1, self.nodes + 1)

    @staticmethod
    def node_name(node: int) -> str:
        return f"node{node}"

    # Network namespaces

    @property
    def client_namespace(self) -> str:
        return f"{self.name}-client"

    def node_namespace(self, node: int) -> str:
        return f"{self.name}-{self.node_name(node)}"

    @property
    def namespaces(self) -> list[str]:
        return [self.client_namespace, *map(self.node_namespace, self.node_numbers)]

    # Addresses

    @property
    def node_network(self) -> IPv4Network:
        return IPv4Network(f"172.30.{2 * self.number}.0/24")

    @property
    def client_address(self) -> IPv4Address:
        return self.node_network[1]

    def node_address(self, node: int) -> IPv4Address:
        return self.node_network[10 + node]

    @property
    def load_balancer_range(self) -> IPv4Network:
        return IPv4Network(f"172.30.{2 * self.number + 1}.0/24")

    @property
    def usable_address(self) -> IPv4Address:
        """One that a Gateway may ask for; at the end of the range, so that no other is given it by chance."""
        return self.load_balancer_range[250]

    @property
    def service_range(self) -> IPv4Network:
        return IPv4Network(f"10.{64 + self.number}.0.0/16")

    @property
    def dns_address(self) -> IPv4Address:
        return self.service_range[10]

    @property
    def pod_range(self) -> IPv4Network:
        return IPv4Network(f"10.{128 + self.number}.0.0/16")

    def node_pod_range(self, node: int) -> IPv4Network:
        return IPv4Network(f"10.{128 + self.number}.{node}.0/24")

    @property
    def api_server(self) -> str:
        return f"https://{self.node_address(1)}:6443"

    # As files and variables

    def save(self) -> None:
        (self.state / "cluster.json").write_text(json.dumps(asdict(self)) + "\n")

    @classmethod
    def load(cls, name: str) -> Layout | None:
        """The cluster of that name; None if there is none, or nothing of one but an empty directory."""
        try:
            return cls(**json.loads((CLUSTERS / name / "cluster.json").read_text()))
        except FileNotFoundError:
            return None

    def environment(self) -> dict[str, str]:
        """What tests ask for instead of knowing addresses."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "TESTBED_NAME": self.name,
            "TESTBED_STATE": str(self.state),
            "TESTBED_NODES": str(self.nodes),
            "TESTBED_API_SERVER": self.api_server,
            "TESTBED_CLIENT_NAMESPACE": self.client_namespace,
            "TESTBED_CLIENT_ADDRESS": str(self.client_address),
            "TESTBED_NODE_ADDRESSES": ",".join(str(self.node_address(node)) for node in self.node_numbers),
            "TESTBED_LOAD_BALANCER_RANGE": str(self.load_balancer_range),
            "TESTBED_USABLE_ADDRESS": str(self.usable_address),
            "TESTBED_UNUSABLE_ADDRESS": str(UNUSABLE_ADDRESS),
            "TESTBED_POD_RANGE": str(self.pod_range),
            "TESTBED_SERVICE_RANGE": str(self.service_range),
            "TESTBED_DNS_ADDRESS": str(self.dns_address),
        }
