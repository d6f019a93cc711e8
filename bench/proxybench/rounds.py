"""The order of measurement: all lanes of a group run at once, idle but for the one whose turn it is, round after round.

Noise on a shared machine comes and goes over seconds. Short bursts in turn let it hit all proxies alike, each round
begins with another proxy, and what is compared are medians over the rounds, or ratios within a round.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .backend import Backend
from .burst import Burst, Tools, latency, saturate
from .certificate import Certificate
from .lane import Lane, LaneFailure, open_lane
from .load import Latency
from .machine import Cores
from .peers import Peer
from .scenario import Scenario

# What may go wrong with one proxy; it is noted in that proxy's outcome, and the others are measured on.
MEASUREMENT_ERRORS = (LaneFailure, OSError, RuntimeError, subprocess.SubprocessError)


@dataclass(frozen=True)
class Plan:
    """How long to measure."""

    rounds: int
    burst_seconds: float
    """Length of the steady part of a burst at saturation."""
    pace_seconds: float
    """Length of a burst at the fixed rate; 0 leaves latency out."""


@dataclass(frozen=True)
class Bench:
    """What all measurements of a run share."""

    tools: Tools
    backend: Backend
    certificate: Certificate
    cores: Cores
    directory: Path


@dataclass
class Outcome:
    """What was measured of one proxy in one scenario; `trouble` says why there is nothing, or no more, of it."""

    peer: Peer
    scenario: Scenario
    bursts: list[Burst] = field(default_factory=list)
    latencies: list[Latency] = field(default_factory=list)
    idle_bytes: int = 0
    loaded_bytes: int = 0
    trouble: str | None = None


def measure_group(scenarios: list[Scenario], peers: list[Peer], bench: Bench, plan: Plan) -> list[Outcome]:
    """Measures every proxy in every scenario of the group."""
    outcomes: list[Outcome] = []
    lanes: list[tuple[Lane, Outcome]] = []
    with ExitStack() as stack:
        for scenario in scenarios:
            for peer in peers:
                outcome = Outcome(peer, scenario, trouble=peer.refusal(scenario))
                outcomes.append(outcome)
                lane = None if outcome.trouble else _opened(outcome, bench)
                if lane:
                    stack.callback(lane.stop)
                    lanes.append((lane, outcome))
        for number in range(plan.rounds):
            progress(f"{' and '.join(scenario.name for scenario in scenarios)}: round {number + 1} of {plan.rounds}")
            first = number % max(1, len(lanes))
            for lane, outcome in lanes[first:] + lanes[:first]:
                if not outcome.trouble:
                    _measure_once(lane, outcome, bench, plan)
        for lane, outcome in lanes:
            outcome.loaded_bytes = lane.resident_bytes()
    progress("")
    return outcomes


def _opened(outcome: Outcome, bench: Bench) -> Lane | None:
    """The lane of an outcome, or None with the reason noted in it."""
    peer, scenario = outcome.peer, outcome.scenario
    progress(f"{scenario.name}: starting {peer.title}")
    directory = bench.directory / scenario.name / peer.name
    try:
        lane = open_lane(peer, scenario, bench.backend, bench.certificate, bench.cores, directory)
    except MEASUREMENT_ERRORS as error:
        outcome.trouble = str(error)
        return None
    outcome.idle_bytes = lane.idle_bytes
    return lane


def _measure_once(lane: Lane, outcome: Outcome, bench: Bench, plan: Plan) -> None:
    try:
        outcome.bursts.append(saturate(lane, bench.tools, bench.backend, bench.cores, plan.burst_seconds))
        if plan.pace_seconds > 0:
            paced = latency(lane, bench.tools, bench.cores, plan.pace_seconds)
            if paced:
                outcome.latencies.append(paced)
    except MEASUREMENT_ERRORS as error:
        outcome.trouble = str(error)


def progress(text: str) -> None:
    """One line on standard error that the next one overwrites; silent where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
