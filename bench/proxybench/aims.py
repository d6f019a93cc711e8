"""What Portway has to reach, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass

from .results import Result, paired_ratio
from .scenario import HEADLINE, ROUTES_HEADLINE

CPU_LIMITS = {"nginx": 1.0, "envoy": 0.4}
"""CPU per request, as a multiple of each reference's, in every scenario."""
ROUTES_CPU_LIMIT = 1.10
"""CPU per request with 5,000 routes, as a multiple of that with one."""
ROUTES_BYTES_LIMIT = 40_000_000
"""Resident memory with 5,000 routes, idle or after load."""
IDLE_BYTES_LIMIT = 12_000_000
"""Resident memory with one route before any load."""


@dataclass(frozen=True)
class Aim:
    """One aim. `reached` is None where it was not measured."""

    text: str
    limit: float
    measured: float | None
    unit: str
    at_least: bool = False
    """More is better; else the limit is the most that it may be."""

    @property
    def reached(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def verdict(self) -> str:
        return {True: "PASS", False: "FAIL", None: "NOT MEASURED"}[self.reached]

    def line(self) -> str:
        measured = "" if self.measured is None else f": {self.measured:.2f} {self.unit}".rstrip()
        bound = "at least" if self.at_least else "at most"
        return f"{self.verdict:<12}  {self.text} {bound} {self.limit:g} {self.unit}".rstrip() + measured


def judge(results: list[Result]) -> list[Aim]:
    """All aims that the scenarios of this run bear on."""
    portway = {result.scenario: result for result in results if result.peer == "portway"}
    return [*_cpu_aims(results, portway), *_route_aims(portway), *_idle_aims(portway)]


def _cpu_aims(results: list[Result], portway: dict[str, Result]) -> list[Aim]:
    titles = {result.peer: result.title for result in results}
    return [
        Aim(f"{scenario}: CPU per request relative to {titles[peer]}", limit, result.cpu_ratio.get(peer), "times")
        for scenario, result in portway.items()
        for peer, limit in CPU_LIMITS.items()
        if peer in titles
    ]


def _route_aims(portway: dict[str, Result]) -> list[Aim]:
    one, many = portway.get(HEADLINE), portway.get(ROUTES_HEADLINE)
    if not one or not many:
        return []
    cpu = paired_ratio(many.cpu_microseconds_by_round, one.cpu_microseconds_by_round)
    sizes = [size for size in (many.idle_bytes, many.loaded_bytes) if size]
    return [
        Aim("5,000 routes: CPU per request relative to one route", ROUTES_CPU_LIMIT, cpu, "times"),
        _bytes_aim("5,000 routes: resident memory", ROUTES_BYTES_LIMIT, max(sizes, default=None)),
    ]


def _idle_aims(portway: dict[str, Result]) -> list[Aim]:
    headline = portway.get(HEADLINE)
    return [_bytes_aim("idle: resident memory", IDLE_BYTES_LIMIT, headline.idle_bytes)] if headline else []


def _bytes_aim(text: str, limit: int, measured: int | None) -> Aim:
    return Aim(text, limit / 1e6, None if measured is None else measured / 1e6, "MB")
