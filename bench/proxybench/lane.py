"""A lane: one proxy, configured and running for one scenario, and checked to answer right."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .backend import Backend, read_port
from .certificate import Certificate
from .load import Target
from .machine import Cores, free_port
from .peers import Peer, Setup
from .process import Process, resident_bytes
from .scenario import Scenario
from .verify import WrongAnswer, answers_right

SECONDS_TO_START = 30.0
SECONDS_TO_SETTLE = 1.0


class LaneFailure(Exception):
    """A proxy did not start, or does not answer right; the message says which and how."""


@dataclass
class Lane:
    """A running proxy. `process` is None for the peer that is no proxy at all."""

    peer: Peer
    scenario: Scenario
    target: Target
    directory: Path
    process: Process | None
    idle_bytes: int = 0
    """Resident memory after the start and a few requests by hand, before any load."""

    def tree(self) -> list[int]:
        """The ids of the proxy's processes."""
        return self.process.tree() if self.process else []

    def resident_bytes(self) -> int:
        return resident_bytes(self.tree())

    def check_running(self) -> None:
        if self.process and not self.process.is_running():
            raise LaneFailure(f"it ended while it was measured: {self.process.last_words()}")

    def stop(self) -> None:
        if self.process:
            self.process.stop()


def open_lane(
    peer: Peer, scenario: Scenario, backend: Backend, certificate: Certificate, cores: Cores, directory: Path
) -> Lane:
    """Starts a proxy and returns once it answers right. Raises `LaneFailure`, and leaves nothing running then."""
    directory.mkdir(parents=True)
    setup = Setup(directory, scenario, free_port(), free_port(), backend.port, certificate)
    launch = peer.launch(setup)
    if launch is None:
        return Lane(peer, scenario, Target(scenario, backend.port, certificate), directory, None)
    stdout = subprocess.PIPE if launch.prints_port else subprocess.DEVNULL
    process = Process(launch.argv, [cores.proxy], directory / "stderr.log", stdout, launch.environment)
    try:
        port = read_port(process) if launch.prints_port else setup.port
        lane = Lane(peer, scenario, Target(scenario, port, certificate), directory, process)
        _wait_until_right(lane)
        time.sleep(SECONDS_TO_SETTLE)
        lane.idle_bytes = lane.resident_bytes()
        return lane
    except BaseException:
        process.stop()
        raise


def _wait_until_right(lane: Lane) -> None:
    """Asks until the answers are right: a proxy may listen before it has read its routes."""
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            return answers_right(lane.target, lane.peer.matches_routes, lane.directory)
        except (WrongAnswer, ConnectionError) as error:
            if lane.process and not lane.process.is_running():
                raise LaneFailure(f"it did not start: {lane.process.last_words()}") from error
            if time.monotonic() > deadline:
                raise LaneFailure(f"after {SECONDS_TO_START:.0f} s: {error}") from error
        time.sleep(0.1)
