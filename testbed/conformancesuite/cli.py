"""The command line of testbed/conformance."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

from localcluster import claim, lifecycle, logs, portway, programs
from localcluster.layout import ClusterError, Layout

from . import again, run
from .own_report import OwnReport
from .report import Report

DEFAULT_CLUSTER = "conformance"
REPORTS = (("report.json", Report), ("own-report.json", OwnReport))
NODES = 2
SLOWEST = 10


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    # So that a cluster that was started here is removed.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _conformance(asked)
    except ClusterError as error:
        print(f"testbed/conformance: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("testbed/conformance: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="testbed/conformance",
        description="Runs the official Gateway API conformance suite, and tests of our own for what it has no tests for, "
        "against Portway on a cluster of its own.",
        epilog="Exit status: 0 if everything is supported, was run and passed; else 1.",
    )
    add = parser.add_argument
    add("--run", metavar="TEST", help="one test alone, such as HTTPRouteSimpleSameNamespace")
    add("--own", action="store_true", help="our own tests alone")
    add("--cluster", metavar="NAME", help="use this cluster, which stands and has Portway, and leave it")
    add("--keep", action="store_true", help="leave the cluster, for a look at it")
    add("--binary", type=Path, help="the program to install (that of `cargo build --release`)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a value for the chart")
    add("--gateway-class", default="portway", help="the GatewayClass to test (portway)")
    add("--all-features", action="store_true", help="take all for supported, whatever the GatewayClass says")
    add("--parallel", type=int, default=4, help="so many of the tests that allow it at the same time (4)")
    add("--fail-fast", action="store_true", help="stop at the first failure, and leave what that test made")
    add("--again", action="store_true", help=f"run what fails once more, alone, if it is at most {again.AT_MOST} tests")
    add("--debug", action="store_true", help="have the suite tell more in suite.log")
    add("--output", type=Path, help="where report and logs go (conformance/ in the target folder)")
    add("suite", nargs="*", metavar="FLAG", help="further flags of the suite, after --")
    return parser


def _conformance(asked: argparse.Namespace) -> int:
    target = (asked.output or programs.setting("CARGO_TARGET_DIR") / "conformance").resolve()
    _empty(target)
    if asked.cluster:
        claim.check_name(asked.cluster)
        layout = Layout.load(asked.cluster)
        if not layout:
            raise ClusterError(f"there is no cluster {asked.cluster}: testbed/cluster up --name {asked.cluster}")
        run.remove_leftovers(layout)
        return _run(asked, layout, target)
    layout = lifecycle.up(DEFAULT_CLUSTER, NODES)
    try:
        _install(asked, layout, target)
        return _run(asked, layout, target)
    finally:
        if asked.keep:
            print(f"the cluster stays: testbed/cluster down --name {layout.name}")
        else:
            lifecycle.down(layout.name)


def _install(asked: argparse.Namespace, layout: Layout, target: Path) -> None:
    build = portway.Build(asked.binary or portway.default_binary())
    try:
        portway.install(layout, build, asked.set)
    except ClusterError:
        _collect(layout, target)
        raise


def _run(asked: argparse.Namespace, layout: Layout, target: Path) -> int:
    options = run.Options(
        gateway_class=asked.gateway_class,
        version=portway.version(),
        test=asked.run,
        own_only=asked.own,
        all_features=asked.all_features,
        parallel=asked.parallel,
        fail_fast=asked.fail_fast,
        debug=asked.debug,
        further=asked.suite,
    )
    began = time.monotonic()
    status, outcomes = run.run(layout, options, target)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    faults = _faults(asked, status, outcomes, target)
    if faults:
        _collect(layout, target)
    if len(outcomes) > SLOWEST:
        print("\nslowest:")
    for outcome in run.slowest(outcomes, SLOWEST) if len(outcomes) > SLOWEST else []:
        print(f"  {outcome.seconds:6.1f} s  {outcome.test}")
    print(f"\n{_count(len(faults), 'fault')} in {minutes}:{seconds:02}; {target} has the suite's log and the reports")
    for fault in faults:
        print(f"  {fault}")
    for test, messages in run.messages(target / "suite.log").items():
        print(f"\n{test or 'before any test'}:")
        for message in messages:
            print(f"  {message}")
    failed = [outcome.test for outcome in outcomes if outcome.result == "FAIL"]
    if faults and asked.again and again.may_be_unsteady(failed, faults):
        failed = again.run(layout, options, failed, target)
        faults = [f"{test} fails again" for test in failed]
    print(f"\nconformance: {len(outcomes) - len(failed)} passed, {len(failed)} failed")
    return 1 if faults else 0


def _faults(asked: argparse.Namespace, status: int, outcomes: list[run.Outcome], target: Path) -> list[str]:
    """Why this run is no success."""
    if asked.run:
        passed = any(outcome.test == asked.run and outcome.result == "PASS" for outcome in outcomes)
        return [] if passed and status == 0 else [f"{asked.run} does not pass"]
    reports: list[Report | OwnReport] = []
    for name, kind in REPORTS[1:] if asked.own else REPORTS:
        if not (target / name).exists():
            return [f"{name} is missing; the end of suite.log tells why"]
        reports.append(kind.read(target / name))
    print("\n" + "\n\n".join(report.table() for report in reports))
    faults = [fault for report in reports for fault in report.faults()]
    # Such as a test that is in no profile.
    named = " ".join(faults)
    faults += [
        f"{outcome.test} fails" for outcome in outcomes if outcome.result == "FAIL" and outcome.test not in named
    ]
    return faults or ([f"the suite ends with status {status}"] if status else [])


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _collect(layout: Layout, target: Path) -> None:
    """The logs of every component, of every pod that there is and of those that are gone."""
    logs.collect(layout, target / "logs")
    if run.kept_logs(layout).exists():
        shutil.copytree(run.kept_logs(layout), target / "logs" / "pods", dirs_exist_ok=True)
    print(f"the logs of all components are in {target / 'logs'}")


def _empty(target: Path) -> None:
    """Takes away what an earlier run has left."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("report.yaml", "report.json", "own-report.yaml", "own-report.json", "suite.log"):
        (target / name).unlink(missing_ok=True)
    shutil.rmtree(target / "logs", ignore_errors=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
