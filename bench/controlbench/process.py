"""What a pod's process has used."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Of the controller, as its chart has it.
STREAM_PORT = 18000


@dataclass(frozen=True)
class Process:
    """The process of a pod, by its number on this machine."""

    pid: int

    def cpu_seconds(self) -> float:
        """Of all its threads, those that have ended among them: as its control group counts it."""
        root = Path("/sys/fs/cgroup")
        lines = (Path("/proc") / str(self.pid) / "cgroup").read_text().splitlines()
        groups = {controllers: path.lstrip("/") for _, controllers, path in (line.split(":", 2) for line in lines)}
        # Version 1 of control groups, or version 2.
        for controllers, group in groups.items():
            if "cpuacct" in controllers.split(","):
                return int((root / "cpuacct" / group / "cpuacct.usage").read_text()) / 1e9
        stat = (root / groups[""] / "cpu.stat").read_text()
        return int(re.search(r"^usage_usec (\d+)$", stat, re.MULTILINE)[1]) / 1e6

    def resident(self) -> float:
        """Mebibytes."""
        status = (Path("/proc") / str(self.pid) / "status").read_text()
        kibibytes = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        if not kibibytes:
            raise OSError(f"process {self.pid} has no memory")
        return int(kibibytes[1]) / 1024

    def received_from_controller(self) -> int:
        """Bytes that a proxy has received on its stream, as they came over the wire."""
        filters = ["dport", "=", f":{STREAM_PORT}"]
        command = ["nsenter", f"--target={self.pid}", "--net", "ss", "--no-header", "-tin", *filters]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return sum(int(count) for count in re.findall(r"bytes_received:(\d+)", told))

