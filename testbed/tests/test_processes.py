from __future__ import annotations

import os
import signal
import subprocess
import time
import unittest

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

    def test_a_later_process_of_the_same_number_is_left_alone(self) -> None:
        earlier = Process(self.process.pid, self.process.started - 1)
        self.assertFalse(earlier.runs())
        earlier.signal(signal.SIGKILL)
        end([earlier])
        time.sleep(0.05)
        self.assertIsNone(self.child.poll())
