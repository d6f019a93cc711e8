"""One run of the tests: from the outside client's network namespace, with what they print kept and their progress told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from localcluster import lifecycle, logs, programs
from localcluster.api import kubectl
from localcluster.layout import UNUSABLE_ADDRESS, Layout
from localcluster.processes import in_namespace

from .report import PROFILES

# Of a mesh, which Portway is not: `-all-features` without them are the 54 others.
MESH_FEATURES = (
    "Mesh",
    "MeshClusterIPMatching",
    "MeshConsumerRoute",
    "MeshHTTPRouteBackendRequestHeaderModification",
    "MeshHTTPRouteNamedRouteRule",
    "MeshHTTPRouteQueryParamMatching",
    "MeshHTTPRouteRedirectPath",
    "MeshHTTPRouteRedirectPort",
    "MeshHTTPRouteRewritePath",
    "MeshHTTPRouteSchemeRedirect",
)

# As soon as a test has ended, and when all have, with its duration.
PROGRESS = re.compile(r"^=== OUTCOME (PASS|FAIL) (\S+)$")
OUTCOME = re.compile(r"^\s*--- (PASS|FAIL|SKIP): TestConformance/(?!own )(?:own/)?([^/\s]+) \(([\d.]+)s\)")

# Of the lines of a failed assertion.
FAILED_TEST = re.compile(r"^\s*Test:\s+(TestConformance\S*)$")
MESSAGE = re.compile(r"^\s*Messages:\s+(.+)$")

SECONDS_BETWEEN_LOOKS_AT_PODS = 1.0


@dataclass(frozen=True)
class Options:
    """What a run is to do."""

    gateway_class: str
    version: str
    # One test, or all.
    test: str | None = None
    # Our own tests alone.
    own_only: bool = False
    # Take every feature for supported, instead of those that the GatewayClass says it has.
    all_features: bool = False
    # How many of the tests that allow it run at the same time. Each that waits lists all Gateways ten times a second:
    # more of them than this take from the API server, on two cores, the time that the Gateways need to become ready.
    parallel: int = 4
    # Stop at the first failure, and leave what the failed test made.
    fail_fast: bool = False
    debug: bool = False
    # For the suite, as they are.
    further: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    test: str
    result: str
    seconds: float


def run(layout: Layout, options: Options, target: Path) -> tuple[int, list[Outcome]]:
    """Runs the tests; their exit status, and how each went that was run. The reports come to `target`."""
    # Here and not with Portway, since the tests decide which they need.
    lifecycle.load(layout, [programs.image("authserver")])
    outcomes: list[Outcome] = []
    ended, began = 0, time.monotonic()
    command = in_namespace(layout.client_namespace, _command(layout, options, target))
    environment = {**os.environ, **layout.environment()}
    with _pods_logs_kept(layout), (target / "suite.log").open("w") as log:
        suite = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        assert suite.stdout is not None, "started with stdout=PIPE"
        try:
            for line in suite.stdout:
                log.write(line)
                if progress := PROGRESS.match(line):
                    ended += 1
                    at = time.monotonic() - began
                    print(f"{at:6.1f} s {ended:4}  {progress[1]}  {progress[2]}", flush=True)
                elif (outcome := outcome_of(line)) and outcome.result != "SKIP":
                    outcomes.append(outcome)
        finally:
            suite.terminate()
            status = suite.wait()
    return status, outcomes


def remove_leftovers(layout: Layout) -> None:
    """Deletes what a run that was ended early, or stopped at a failure, has left: the next would wait for it in vain."""
    namespaces = kubectl(layout, "get", "namespaces", "--output=name").split()
    if left := [name for name in namespaces if name.startswith("namespace/gateway-conformance-")]:
        print("deleting what an earlier run has left", flush=True)
        kubectl(layout, "delete", "--timeout=120s", *left)


def kept_logs(layout: Layout) -> Path:
    """Where the logs are of all pods that there were, those that are gone too."""
    return layout.state / "kept-logs"


def _command(layout: Layout, options: Options, target: Path) -> list[str]:
    command = [str(programs.program("conformance")), "-test.v", "-test.timeout=60m"]
    command += [f"-test.parallel={options.parallel}", f"-gateway-class={options.gateway_class}"]
    command += [f"-conformance-profiles={','.join(PROFILES)}"]
    command += [f"-report-output={target / 'report.yaml'}", f"-own-report-output={target / 'own-report.yaml'}"]
    command += [f"-usable-address={layout.usable_address}", f"-unusable-address={UNUSABLE_ADDRESS}"]
    command += ["-organization=portway", "-project=portway", "-url=https://portway.dev"]
    command += [f"-version={options.version}", "-contact=https://portway.dev"]
    if options.all_features:
        command += ["-all-features", f"-exempt-features={','.join(MESH_FEATURES)}"]
    if options.test:
        command += [f"-run-test={options.test}"]
    if options.own_only:
        command += ["-own-only"]
    if options.fail_fast:
        command += ["-fail-fast", "-cleanup-test-resources=false", "-cleanup-base-resources=false"]
    if options.debug:
        command += ["-debug"]
    return command + options.further


def outcome_of(line: str) -> Outcome | None:
    """How a test went, if that is what a line tells."""
    match = OUTCOME.match(line)
    return Outcome(match[2], match[1], float(match[3])) if match else None


def messages(log: Path) -> dict[str, list[str]]:
    """What the suite says is wrong, by the test whose fault it is; of a test's parts as well."""
    found: dict[str, list[str]] = {}
    test = ""
    for line in log.read_text(errors="replace").splitlines():
        if match := FAILED_TEST.match(line):
            test = (match[1].replace("/own/", "/").split("/") + [""])[1]
        elif match := MESSAGE.match(line):
            found.setdefault(test, []).append(match[1])
    return found


@contextmanager
def _pods_logs_kept(layout: Layout) -> Iterator[None]:
    """Keeps the logs of pods that go with the test that made them."""
    shutil.rmtree(kept_logs(layout), ignore_errors=True)
    over = threading.Event()

    def look() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS_AT_PODS):
            logs.keep_pods(layout, kept_logs(layout))

    thread = threading.Thread(target=look, name="logs of pods")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def slowest(outcomes: list[Outcome], count: int) -> list[Outcome]:
    return sorted(outcomes, key=lambda outcome: -outcome.seconds)[:count]
