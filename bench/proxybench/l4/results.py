"""From bursts to figures: medians over the rounds, and ratios within each round."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from ..results import paired_ratio
from .balancers.none import NoBalancer
from .burst import L4Burst
from .rounds import L4Outcome


@dataclass(frozen=True)
class L4Result:
    """The figures of one balancer in one scenario. None where a figure was not measured or has no meaning."""

    balancer: str
    title: str
    scenario: str
    in_user_space: bool
    trouble: str | None
    """Why nothing, or not everything, was measured."""
    per_second: float | None = None
    """Bits, connections or packets."""
    per_second_by_round: list[float] = field(default_factory=list)
    rate_to_none: float | None = None
    """`per_second` as a multiple of what there is without a balancer."""
    cpu_nanoseconds: float | None = None
    """CPU time of the node for each byte, connection or packet."""
    cpu_nanoseconds_by_round: list[float] = field(default_factory=list)
    cpu_to_none: float | None = None
    """`cpu_nanoseconds` as a multiple of what routing alone takes."""
    cpu_to_kernel_path: float | None = None
    """`cpu_nanoseconds` as a multiple of the kernel path's: how many times as much that does in a CPU second."""
    node_busy: float | None = None
    """Share of its core that the node used meanwhile."""
    others_busy: float | None = None
    """Share of that core that went to other programs: noise."""
    errors: int = 0


def summarise(outcomes: list[L4Outcome]) -> list[L4Result]:
    """The results, in the order of the outcomes."""
    return [_result(outcome, outcomes) for outcome in outcomes]


def _result(outcome: L4Outcome, outcomes: list[L4Outcome]) -> L4Result:
    def of(name: str) -> list[L4Burst]:
        same = [it for it in outcomes if it.scenario == outcome.scenario and it.balancer.name == name]
        return same[0].bursts if same else []

    bursts, none, kernel_path = outcome.bursts, of(NoBalancer.name), of("portway-kernel")
    return L4Result(
        balancer=outcome.balancer.name,
        title=outcome.balancer.title,
        scenario=outcome.scenario.name,
        in_user_space=outcome.balancer.in_user_space,
        trouble=outcome.trouble,
        per_second=_median(rates(bursts)),
        per_second_by_round=[round(value) for value in rates(bursts)],
        rate_to_none=paired_ratio(rates(bursts), rates(none)),
        cpu_nanoseconds=_median(costs(bursts)),
        cpu_nanoseconds_by_round=[round(value, 4) for value in costs(bursts)],
        cpu_to_none=paired_ratio(costs(bursts), costs(none)),
        cpu_to_kernel_path=paired_ratio(costs(bursts), costs(kernel_path)),
        node_busy=_median([burst.node_busy for burst in bursts]),
        others_busy=_median([burst.others_busy for burst in bursts]),
        errors=sum(burst.errors for burst in bursts),
    )


def rates(bursts: list[L4Burst]) -> list[float]:
    return [burst.per_second for burst in bursts]


def costs(bursts: list[L4Burst]) -> list[float]:
    return [burst.nanoseconds_per_unit for burst in bursts]


def _median(values: list[float]) -> float | None:
    return median(values) if values else None
