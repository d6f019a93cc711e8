"""What runs in the pod: one server for each service, shared by all balancers, of which only one is under load."""

from __future__ import annotations

import mmap
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..backend import read_port
from ..provision import Provision
from .host import Host
from .scenario import CONNECTIONS, DATAGRAMS, STREAM


NEEDED = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "curl": "curl"}
"""Programs that every run needs, with their Debian packages."""


@dataclass(frozen=True)
class L4Tools:
    """Programs that make the load and that answer it."""

    iperf3: str
    wrk: str
    one_answer: str
    bounce: str


def find_tools(provision: Provision) -> L4Tools:
    """Raises `Unavailable` where one is missing."""
    for program, package in NEEDED.items():
        provision.debian(program, package)
    return L4Tools(
        iperf3=str(provision.debian("iperf3", "iperf3")),
        wrk=str(provision.debian("wrk", "wrk")),
        one_answer=str(provision.c_program("one_answer")),
        bounce=str(provision.c_program("bounce")),
    )


class Servers:
    def __init__(self, pod: Host, tools: L4Tools, directory: Path) -> None:
        counter_file = directory / "served"
        answers = [tools.one_answer, str(CONNECTIONS.port), str(counter_file)]
        self._processes = [pod.start(answers, directory / "one_answer.log", subprocess.PIPE)]
        try:
            read_port(self._processes[0])
            with counter_file.open("rb") as file:
                self._served = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
            stream = [tools.iperf3, "--server", f"--port={STREAM.port}"]
            back = [tools.bounce, "serve", str(DATAGRAMS.port)]
            self._processes.append(pod.start(stream, directory / "iperf3-server.log"))
            self._processes.append(pod.start(back, directory / "bounce.log"))
        except BaseException:
            self.stop()
            raise

    def connections(self) -> int:
        """How many connections have been answered so far."""
        return int(struct.unpack("=Q", self._served[:8])[0])

    def check_running(self) -> None:
        for process in self._processes:
            if not process.is_running():
                raise RuntimeError(f"a server in the pod has ended: {process.last_words()}")

    def stop(self) -> None:
        for process in self._processes:
            process.stop()
