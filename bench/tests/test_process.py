"""Processes are measured as a tree and ended as a tree."""

from __future__ import annotations

import os
import tempfile
import time
import unittest
from pathlib import Path

from proxybench.process import Process, cpu_nanoseconds, resident_bytes

CORES = sorted(os.sched_getaffinity(0))[:1]


class ProcessTree(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.log = Path(directory.name) / "log"

    def start(self, script: str) -> Process:
        process = Process(["sh", "-c", script], CORES, self.log)
        self.addCleanup(process.stop)
        return process

    def tree_of(self, process: Process, size: int) -> list[int]:
        """The tree once it has grown to `size`; waits for it at most five seconds."""
        deadline = time.monotonic() + 5
        while len(process.tree()) < size and time.monotonic() < deadline:
            time.sleep(0.02)
        return process.tree()

    def test_children_are_ended_though_they_ignore_the_request(self) -> None:
        tree = self.tree_of(process := self.start("sh -c 'trap \"\" TERM; sleep 60; sleep 60' & wait"), 3)
        self.assertEqual(len(tree), 3)
        process.stop()
        self.assertFalse([pid for pid in tree if _is_alive(pid)])

    def test_cpu_time_and_memory_of_children_count(self) -> None:
        tree = self.tree_of(self.start("sh -c 'while :; do :; done' & wait"), 2)
        before = cpu_nanoseconds(tree)
        time.sleep(0.3)
        self.assertGreater(cpu_nanoseconds(tree) - before, 10_000_000)
        self.assertGreater(resident_bytes(tree), resident_bytes(tree[:1]))

    def test_the_last_line_of_standard_error_tells_why_it_ended(self) -> None:
        process = self.start("echo first >&2; echo 'cannot bind' >&2; exit 3")
        self.assertEqual(process.wait(5), 3)
        self.assertEqual(process.last_words(), "cannot bind")


def _is_alive(pid: int) -> bool:
    """False also for a process that has ended and only waits for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
