"""The server behind every proxy (`programs/backend.c`), and the count of responses that it has sent."""

from __future__ import annotations

import mmap
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .process import Process


class Backend:
    """The running backend. One serves the whole run; only one proxy is under load at any time."""

    def __init__(self, program: Path, directory: Path, cores: Sequence[int]) -> None:
        counter_file = directory / "responses"
        self._process = Process(
            [str(program), str(counter_file)], cores, directory / "backend.log", stdout=subprocess.PIPE
        )
        self.port = read_port(self._process)
        with counter_file.open("rb") as file:
            self._counter = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)

    def responses(self) -> int:
        """How many responses it has sent so far."""
        return int(struct.unpack("=Q", self._counter[:8])[0])

    def stop(self) -> None:
        self._counter.close()
        self._process.stop()


def read_port(process: Process) -> int:
    """The port that one of our C programs prints once it listens."""
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"it did not start: {process.last_words()}")
    return int(line)
