"""Brings up a cluster with Portway in it, runs the tests, and removes it. See `testbed/test portway --help`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from localcluster import lifecycle, logs, portway
from localcluster.layout import Layout

from .cluster import settings

NAME = "tb-portway"
# The implementation whose manifests are taken over, under a name as the CRDs allow it.
FOREIGN = "io.cilium/gateway-controller"
# As the issue asks for; without --full it is a part of that.
FULL_EDITS = 1000
FULL_OUTAGE = 120.0
FULL_KILLS = 20
CONTROLLER_NAMES = f"controllerNames={{{portway.CONTROLLER},{FOREIGN}}}"


def main() -> int:
    asked = _parser().parse_args()
    settings.edits = asked.edits or (FULL_EDITS if asked.full else settings.edits)
    settings.outage = asked.outage or (FULL_OUTAGE if asked.full else settings.outage)
    settings.kills = FULL_KILLS if asked.full else settings.kills
    name = asked.cluster or NAME
    if not asked.cluster:
        lifecycle.down(name)
        lifecycle.up(name, nodes=2)
    settings.layout = Layout.load(name)
    if settings.layout is None:
        print(f"there is no cluster {name}: cluster up --name {name}", file=sys.stderr)
        return 1
    try:
        build = portway.Build(asked.binary or portway.default_binary())
        settings.is_release = build.binary.resolve().parent.name != "debug"
        settings.build, settings.values = build, [CONTROLLER_NAMES]
        portway.install(settings.layout, build, settings.values)
        return _run(asked, settings.layout)
    finally:
        if not asked.cluster and not asked.keep:
            lifecycle.down(name)


def _run(asked: argparse.Namespace, layout: Layout) -> int:
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in asked.tests] or None
    folder = Path(__file__).parent
    suite = loader.discover(str(folder), top_level_dir=str(folder.parent))
    result = unittest.TextTestRunner(verbosity=2, failfast=asked.failfast, resultclass=TimedResult).run(suite)
    result.print_times()
    if not result.wasSuccessful():
        directory = Path(tempfile.mkdtemp(prefix="portwaytests-"))
        logs.collect(layout, directory)
        print(f"logs of everything: {directory}", file=sys.stderr)
    # A pattern that no test has is a mistake, not a success.
    return 0 if result.wasSuccessful() and result.testsRun else 1


class TimedResult(unittest.TextTestResult):
    """Tells at the end how long each test took, the longest first; what prepares a class is not in it."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.times: list[tuple[float, str]] = []

    def startTest(self, test: unittest.TestCase) -> None:
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        self.times.append((time.monotonic() - self.began, test.id().rpartition(".")[2]))
        super().stopTest(test)

    def print_times(self) -> None:
        for seconds, name in sorted(self.times, reverse=True):
            self.stream.writeln(f"{seconds:6.1f} s  {name}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="testbed/test portway", description="Tests of Portway in a cluster.")
    parser.add_argument("tests", nargs="*", help="parts of the names of tests (all)")
    parser.add_argument("--cluster", help="one that stands, to be left standing; Portway is installed into it")
    parser.add_argument("--keep", action="store_true", help="leave the cluster")
    parser.add_argument("--binary", type=Path, help="the program (that of `cargo build --release`)")
    parser.add_argument("--failfast", action="store_true", help="end at the first failure")
    parser.add_argument("--full", action="store_true", help="more edits, and a longer absence (for `make test-all`)")
    edits = f"of a route, in sequence ({settings.edits}; {FULL_EDITS} with --full)"
    parser.add_argument("--edits", type=int, metavar="N", help=edits)
    outage = f"without API server ({settings.outage:.0f}; {FULL_OUTAGE:.0f} with --full)"
    parser.add_argument("--outage", type=float, metavar="SECONDS", help=outage)
    return parser


if __name__ == "__main__":
    sys.exit(main())
