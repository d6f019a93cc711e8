from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from localcluster.claim import standing
from localcluster.layout import CLUSTERS

from .machine import SECONDS, TESTBED, cluster, common_places, succeed, traces

NAME = "tb-test-life"


class LifecycleTest(unittest.TestCase):
    def setUp(self) -> None:
        # Of a run of these tests that was ended.
        succeed("down", "--name", NAME)
        # Other clusters come and go in the places that all have in common.
        self.alone = not standing()
        self.before = common_places()

    def tearDown(self) -> None:
        succeed("down", "--name", NAME)

    def assert_nothing_left(self) -> None:
        self.assertEqual(traces(NAME), [])
        if self.alone and not standing():
            self.assertEqual(sorted(common_places() - self.before), [])

    def test_up_and_down_twice_leaves_nothing(self) -> None:
        for _ in range(2):
            succeed("up", "--name", NAME)
            self.assertIn("node1", succeed("kubectl", "--name", NAME, "get", "nodes"))
            succeed("down", "--name", NAME)
            self.assert_nothing_left()

    def test_a_name_that_is_taken_is_refused_and_the_cluster_left_alone(self) -> None:
        (CLUSTERS / NAME).mkdir(parents=True)
        done = cluster("up", "--name", NAME)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"cluster down --name {NAME}", done.stderr)
        self.assertTrue((CLUSTERS / NAME).exists())

    def test_a_component_that_fails_is_told_and_nothing_left(self) -> None:
        with tempfile.TemporaryDirectory() as programs:
            etcd = Path(programs, "etcd")
            etcd.write_text("#!/bin/sh\necho no room for a store >&2\nexit 1\n")
            etcd.chmod(0o755)
            done = cluster("up", "--name", NAME, environment={"PATH": f"{programs}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("etcd has ended", done.stderr)
        self.assertIn("no room for a store", done.stderr)
        self.assert_nothing_left()

    def test_an_interrupted_start_leaves_nothing(self) -> None:
        start = self.start_until("kubelet1")
        start.send_signal(signal.SIGTERM)
        self.assertEqual(start.wait(SECONDS), 130)
        self.assert_nothing_left()

    def test_down_removes_what_a_start_that_was_killed_has_left(self) -> None:
        for component in ("containerd1", "kubelet1"):
            with self.subTest(component):
                start = self.start_until(component)
                start.kill()
                start.wait(SECONDS)
                self.assertNotEqual(traces(NAME), [])
                succeed("down", "--name", NAME)
                self.assert_nothing_left()

    def test_down_without_a_cluster_is_no_error(self) -> None:
        succeed("down", "--name", NAME)

    def start_until(self, component: str) -> subprocess.Popen[bytes]:
        """Starts a cluster, and returns while that goes on, as soon as a component was started."""
        start = subprocess.Popen([TESTBED / "cluster", "up", "--name", NAME], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + SECONDS
        while not (CLUSTERS / NAME / "processes" / component).exists():
            self.assertIsNone(start.poll(), "the start has ended")
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        return start
