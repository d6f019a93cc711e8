"""A lane: one balancer on a node of its own, which answers right."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ..process import Process
from .balancers import Balancer
from .host import Host, HostFailure
from .network import Network, Node
from .scenario import CONNECTIONS

SECONDS_TO_START = 30.0


class L4LaneFailure(RuntimeError):
    """A balancer did not start, or does not do what it should; the message says which and how."""


@dataclass(frozen=True)
class L4Lane:
    balancer: Balancer
    node: Node
    process: Process | None
    directory: Path

    @property
    def address(self) -> str:
        """What the client connects to."""
        return self.balancer.address(self.node)

    def tree(self) -> list[int]:
        return self.process.tree() if self.process else []

    def check_running(self) -> None:
        if self.process and not self.process.is_running():
            raise L4LaneFailure(f"it ended while it was measured: {self.process.last_words()}")

    def check_path(self) -> None:
        """Raises `L4LaneFailure` if what is measured is not what the row says."""
        objection = self.balancer.objection(self.node)
        if objection:
            raise L4LaneFailure(objection)

    def stop(self) -> None:
        if self.process:
            self.process.stop()


def open_lane(balancer: Balancer, network: Network, directory: Path) -> L4Lane:
    """Starts a balancer, and returns once the server answers through it.

    Raises `L4LaneFailure`, and leaves nothing running then.
    """
    directory.mkdir(parents=True)
    node = network.add_node()
    lane = L4Lane(balancer, node, balancer.start(node, directory), directory)
    try:
        _wait_until_right(lane, network.client)
    except BaseException:
        lane.stop()
        raise
    return lane


def _wait_until_right(lane: L4Lane, client: Host) -> None:
    url = f"http://{lane.address}:{CONNECTIONS.port}/"
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            body = client.run(["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "2", url])
            if body != "x" * 100:
                raise L4LaneFailure(f"{url} was answered with {body[:40]!r}")
            return lane.check_path()
        except (HostFailure, L4LaneFailure) as error:
            if lane.process and not lane.process.is_running():
                raise L4LaneFailure(f"it did not start: {lane.process.last_words()}") from error
            if time.monotonic() > deadline:
                raise L4LaneFailure(f"after {SECONDS_TO_START:.0f} s: {error}") from error
        time.sleep(0.2)
