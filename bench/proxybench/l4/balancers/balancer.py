"""What every balancer has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from ...process import Process
from ...provision import Provision
from ..network import Node
from ..scenario import L4Scenario, Transport


class Balancer(ABC):
    """Leads from a node's address to the pod's, under the same ports, for all of `scenario.SERVICES`."""

    name: str
    title: str
    transports = tuple(Transport)
    in_user_space = False
    """Its process copies what it forwards."""
    version = ""

    @abstractmethod
    def prepare(self, provision: Provision) -> None:
        """Finds or installs what it needs, and its version. Raises `Unavailable` where that fails."""

    def refusal(self, scenario: L4Scenario) -> str | None:
        """Why it cannot take part in a scenario, or None where it can."""
        transport = scenario.service.transport
        return None if transport in self.transports else f"it does not forward {transport.name}"

    @abstractmethod
    def start(self, node: Node, directory: Path) -> Process | None:
        """Sets it up on a node; returns its process, where it has one."""

    def address(self, node: Node) -> str:
        """What the client connects to."""
        return node.address

    def objection(self, node: Node) -> str | None:
        """Why it is not doing yet, though it answers, what it is measured for."""
        return None
