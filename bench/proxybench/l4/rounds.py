"""The order of measurement: all balancers are there at once, idle but for the one whose turn it is, in rounds."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from ..rounds import Plan, progress
from .balancers import Balancer
from .burst import L4Burst, Scene, measure
from .lane import L4Lane, open_lane
from .load import ServerBusy
from .scenario import L4Scenario

# What may go wrong with one balancer; it is noted, and the others are measured on.
MEASUREMENT_ERRORS = (OSError, RuntimeError, subprocess.SubprocessError)


TRIALS = 3
"""Where the server has not finished with the one before, on a busy machine."""


@dataclass
class L4Outcome:
    """What was measured of one balancer in one scenario; `trouble` says why there is nothing, or no more, of it."""

    balancer: Balancer
    scenario: L4Scenario
    bursts: list[L4Burst] = field(default_factory=list)
    trouble: str | None = None


def measure_all(scenarios: list[L4Scenario], balancers: list[Balancer], scene: Scene, plan: Plan) -> list[L4Outcome]:
    """Measures every balancer in every scenario, one scenario after the other."""
    outcomes = [L4Outcome(it, scenario, trouble=it.refusal(scenario)) for scenario in scenarios for it in balancers]
    with ExitStack() as stack:
        lanes: dict[str, L4Lane] = {}
        for balancer in balancers:
            progress(f"layer 4: starting {balancer.title}")
            try:
                lane = open_lane(balancer, scene.network, scene.directory / balancer.name)
            except MEASUREMENT_ERRORS as error:
                _note(outcomes, balancer, str(error))
                continue
            stack.callback(lane.stop)
            lanes[balancer.name] = lane
        for scenario in scenarios:
            of_scenario = [it for it in outcomes if it.scenario == scenario and it.balancer.name in lanes]
            _measure_scenario(of_scenario, lanes, scene, plan)
    progress("")
    return outcomes


def _note(outcomes: list[L4Outcome], balancer: Balancer, trouble: str) -> None:
    for outcome in outcomes:
        if outcome.balancer is balancer:
            outcome.trouble = outcome.trouble or trouble


def _measure_scenario(outcomes: list[L4Outcome], lanes: dict[str, L4Lane], scene: Scene, plan: Plan) -> None:
    for number in range(plan.rounds):
        first = number % max(1, len(outcomes))
        for outcome in outcomes[first:] + outcomes[:first]:
            if outcome.trouble:
                continue
            progress(f"{outcome.scenario.name}: round {number + 1} of {plan.rounds}: {outcome.balancer.title}")
            try:
                outcome.bursts.append(_once_served(lanes[outcome.balancer.name], outcome.scenario, scene, plan))
            except MEASUREMENT_ERRORS as error:
                outcome.trouble = str(error)


def _once_served(lane: L4Lane, scenario: L4Scenario, scene: Scene, plan: Plan) -> L4Burst:
    for _ in range(TRIALS - 1):
        try:
            return measure(lane, scenario, scene, plan.burst_seconds)
        except ServerBusy:
            time.sleep(1)
    return measure(lane, scenario, scene, plan.burst_seconds)
