"""A host: a network namespace that is kept by a process of ours, and that is gone with it.

It has no name. So nothing is left of it however the benchmark ends: the kernel ends the process with its parent, and
the namespace, with all cables to it, when its last process has ended.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..process import Process

# /sys shows the network of the namespace in which it was mounted.
KEEPER = "mount -t sysfs sysfs /sys && echo ready && exec sleep infinity"


class HostFailure(RuntimeError):
    """A namespace cannot be made or set up; the message says which command failed and how."""


@dataclass(frozen=True)
class Traffic:
    """What an interface has received since it was made. A packet that the card would have cut up counts as one."""

    bytes: int
    packets: int


class Host:
    def __init__(self, name: str, directory: Path, cores: Sequence[int]) -> None:
        self.name = name
        self._cores = cores
        argv = ["unshare", "--net", "--mount", "sh", "-c", KEEPER]
        self._keeper = Process(argv, cores, directory / f"{name}.log", stdout=subprocess.PIPE)
        try:
            if self._keeper.stdout.readline() != b"ready\n":
                raise HostFailure(f"no network namespace: {self._keeper.last_words()} (it needs root)")
            self.pid = self._keeper.tree()[0]
            self.ip("link set lo up")
        except BaseException:
            self._keeper.stop()
            raise

    def stop(self) -> None:
        self._keeper.stop()

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` in here, in the same process."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *argv]

    def start(self, argv: Sequence[str], log: Path, stdout: int | None = None) -> Process:
        """Starts a program on the host's cores."""
        return Process(self.inside(argv), self._cores, log, stdout=subprocess.DEVNULL if stdout is None else stdout)

    def run(self, argv: Sequence[str], stdin: str = "") -> str:
        """Runs a command to its end, and returns what it printed. Raises `HostFailure` where it fails."""
        done = subprocess.run(self.inside(argv), input=stdin, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise HostFailure(f"{self.name}: {' '.join(argv)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def ip(self, *lines: str) -> None:
        self.run(["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))

    def set(self, knob: str, value: str) -> None:
        """Sets a file under /proc/sys/net, which shows each process its own namespace."""
        self.run(["sh", "-c", f"echo {value} >/proc/sys/net/{knob}"])

    def receive_on(self, interface: str, cores: Sequence[int]) -> None:
        """Has what comes in by an interface worked on by these cores, and no others (receive packet steering)."""
        mask = core_mask(cores)
        file = f"/sys/class/net/{interface}/queues/rx-0/rps_cpus"
        argv = ["nsenter", f"--target={self.pid}", "--mount", "--net", "sh", "-c", f"echo {mask} >{file}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise HostFailure(f"{self.name}: {file} cannot be set to {mask}: {done.stderr.strip()}")

    def received(self) -> Traffic:
        """What all its interfaces but `lo` have received."""
        return sum_of_received(Path(f"/proc/{self.pid}/net/dev").read_text())


def core_mask(cores: Sequence[int]) -> str:
    """The cores as the kernel reads them: hexadecimal, in groups of 32."""
    mask = sum(1 << core for core in cores)
    groups = []
    while mask or not groups:
        groups.append(f"{mask & 0xFFFFFFFF:08x}")
        mask >>= 32
    return ",".join(reversed(groups))


def sum_of_received(table: str) -> Traffic:
    """Reads /proc/net/dev."""
    rows = [line.split(":", 1) for line in table.splitlines() if ":" in line]
    counts = [fields.split() for name, fields in rows if name.strip() != "lo"]
    return Traffic(sum(int(fields[0]) for fields in counts), sum(int(fields[1]) for fields in counts))
