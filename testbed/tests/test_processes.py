from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from localcluster.processes import Process, end


class ProcessTest(unittest.TestCase):
    def setUp(self) -> None:
        self.child = subprocess.Popen(["sleep", "60"])
        self.addCleanup(self.child.wait)
        self.addCleanup(self.child.kill)
        self.process = Process.find(self.child.pid)

    def test_a_name_with_blanks_and_parentheses_is_understood(self) -> None:
        fields = ["S", *map(str, range(4, 53))]
        process = Process.parse(f"17 (a) b (c) {' '.join(fields)}")
        self.assertEqual(process, Process(17, 22))

    def test_it_runs_until_it_has_ended(self) -> None:
        self.assertTrue(self.process.runs())
        self.child.kill()
        self.child.wait()
        self.assertFalse(self.process.runs())

    def test_one_that_nobody_waits_for_has_ended(self) -> None:
        end([self.process])
        # Not waited for yet: the kernel still knows its number.
        self.assertTrue(os.path.exists(f"/proc/{self.child.pid}"))
        self.assertFalse(self.process.runs())

    def test_one_whose_first_thread_alone_has_ended_still_runs(self) -> None:
        code = "import ctypes, threading; threading.Thread(target=input).start(); ctypes.CDLL(None).pthread_exit(None)"
        child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
        self.addCleanup(child.wait)
        stat = Path(f"/proc/{child.pid}/stat")
        while stat.read_text().rsplit(")", 1)[1].split()[0] != "Z":
            time.sleep(0.01)
        process = Process.find(child.pid)
        self.assertTrue(process and process.runs())
        child.communicate("\n".encode())
        self.assertFalse(process and process.runs())

    def test_a_later_process_of_the_same_number_is_left_alone(self) -> None:
        earlier = Process(self.process.pid, self.process.started - 1)
        self.assertFalse(earlier.runs())
        earlier.signal(signal.SIGKILL)
        end([earlier])
        time.sleep(0.05)
        self.assertIsNone(self.child.poll())
