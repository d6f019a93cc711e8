"""No balancer at all: the client connects to the pod's own address, and the node routes."""

from __future__ import annotations

from pathlib import Path

from ...provision import Provision
from ..network import Node
from .balancer import Balancer


class NoBalancer(Balancer):
    name = "none"
    title = "no balancer"
    version = "plain routing"

    def prepare(self, provision: Provision) -> None:
        """The kernel is there in any case."""

    def start(self, node: Node, directory: Path) -> None:
        return None

    def address(self, node: Node) -> str:
        return node.pod_address
