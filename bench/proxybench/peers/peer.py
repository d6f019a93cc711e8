"""What every proxy of the benchmark has in common, so that the rest of it treats all alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from ..certificate import Certificate
from ..provision import Provision
from ..scenario import Scenario


@dataclass(frozen=True)
class Setup:
    """What a proxy has to do in one scenario: listen on `port` and forward by `scenario.routes` to `backend_port`."""

    directory: Path
    """Empty, and this proxy's alone: for configuration, pid files and the like."""
    scenario: Scenario
    port: int
    admin_port: int
    backend_port: int
    certificate: Certificate

    def write(self, name: str, text: str) -> str:
        """Writes a file into the directory and returns its path."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)


@dataclass(frozen=True)
class Launch:
    """How to start a configured proxy, in the foreground."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    prints_port: bool = False
    """It picks its port itself and prints it on the first line of standard output."""


class Peer(ABC):
    """A proxy under measurement.

    Every proxy that reads HTTP is configured for the same work: one worker, routing by host and path prefix, HTTP/1.1
    with kept-alive connections to the backend, X-Forwarded-For, -Proto and -Host, a request id, and an access log of
    one JSON line for each request, written to /dev/null (buffered where the proxy can do that).
    """

    name: str
    """For the command line and the record."""
    title: str
    """For people."""
    matches_routes = True
    """False for one that forwards everything: it answers no 404, and cannot be configured with routes."""
    version = "unknown version"

    @abstractmethod
    def prepare(self, provision: Provision) -> None:
        """Finds or installs the program and its version. Raises `Unavailable` where that fails."""

    def refusal(self, scenario: Scenario) -> str | None:
        """Why this proxy cannot take part in a scenario, or None where it can."""
        return None

    @abstractmethod
    def launch(self, setup: Setup) -> Launch | None:
        """Writes the configuration and says how to start the proxy; None where there is nothing to start."""
