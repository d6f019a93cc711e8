"""From bursts to figures: medians over the rounds, and ratios of CPU per request within each round."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from .rounds import Outcome
from .scenario import Scenario

REFERENCES = ["nginx", "envoy"]
"""The peers to which ratios are given."""


@dataclass(frozen=True)
class Result:
    """The figures of one proxy in one scenario. None where a figure was not measured or has no meaning."""

    peer: str
    title: str
    scenario: str
    trouble: str | None
    """Why nothing, or not everything, was measured."""
    cpu_microseconds: float | None = None
    """CPU time of the proxy for each request at saturation."""
    cpu_microseconds_by_round: list[float] = field(default_factory=list)
    cpu_ratio: dict[str, float] = field(default_factory=dict)
    """CPU per request as a multiple of each reference's."""
    requests_per_second: float | None = None
    proxy_busy: float | None = None
    """Share of its core that the proxy used meanwhile."""
    others_busy: float | None = None
    """Share of that core that went to other programs: noise."""
    p50_microseconds: float | None = None
    p99_microseconds: float | None = None
    achieved_rate: float | None = None
    idle_bytes: int | None = None
    loaded_bytes: int | None = None
    errors: int = 0


def summarise(outcomes: list[Outcome]) -> list[Result]:
    """The results of a group's outcomes, in the same order."""
    return [_result(outcome, outcomes) for outcome in outcomes]


def paired_ratio(numerator: list[float], denominator: list[float]) -> float | None:
    """The median of the ratios of each round, so that a noisy minute weighs on both sides alike."""
    ratios = [a / b for a, b in zip(numerator, denominator, strict=False) if b > 0]
    return median(ratios) if ratios else None


def _result(outcome: Outcome, outcomes: list[Outcome]) -> Result:
    bursts, latencies = outcome.bursts, outcome.latencies
    is_proxy = outcome.idle_bytes > 0
    cpu = _cpu(outcome) if is_proxy else []
    return Result(
        peer=outcome.peer.name,
        title=outcome.peer.title,
        scenario=outcome.scenario.name,
        trouble=outcome.trouble,
        cpu_microseconds=_median(cpu),
        cpu_microseconds_by_round=[round(value, 2) for value in cpu],
        cpu_ratio=_ratios(cpu, outcome.scenario, outcomes),
        requests_per_second=_median([burst.requests_per_second for burst in bursts]),
        proxy_busy=_median([burst.proxy_busy for burst in bursts]) if is_proxy else None,
        others_busy=_median([burst.others_busy for burst in bursts]) if is_proxy else None,
        p50_microseconds=_median([latency.p50_microseconds for latency in latencies]),
        p99_microseconds=_median([latency.p99_microseconds for latency in latencies]),
        achieved_rate=_median([latency.achieved_rate for latency in latencies]),
        idle_bytes=outcome.idle_bytes or None,
        loaded_bytes=outcome.loaded_bytes or None,
        errors=sum(burst.errors for burst in bursts) + sum(latency.errors for latency in latencies),
    )


def _cpu(outcome: Outcome) -> list[float]:
    return [burst.cpu_microseconds for burst in outcome.bursts]


def _ratios(cpu: list[float], scenario: Scenario, outcomes: list[Outcome]) -> dict[str, float]:
    ratios: dict[str, float] = {}
    for other in outcomes:
        if other.scenario == scenario and other.peer.name in REFERENCES:
            ratio = paired_ratio(cpu, _cpu(other))
            if ratio is not None:
                ratios[other.peer.name] = ratio
    return ratios


def _median(values: list[float]) -> float | None:
    return median(values) if values else None
