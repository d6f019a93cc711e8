"""Outcomes to compute with, made of given CPU times."""

from __future__ import annotations

from proxybench.burst import Burst
from proxybench.load import Latency
from proxybench.peers import ALL, Peer
from proxybench.rounds import Outcome
from proxybench.scenario import HEADLINE, Scenario, chosen


def peer(name: str) -> Peer:
    return next(kind for kind in ALL if kind.name == name)()


def scenario(name: str = HEADLINE) -> Scenario:
    return chosen([name])[0]


def outcome(
    name: str, cpu: list[float], where: str = HEADLINE, idle: int = 10_000_000, loaded: int = 11_000_000
) -> Outcome:
    """An outcome of one round for each of the CPU times, without errors."""
    bursts = [Burst(value, requests_per_second=1000, proxy_busy=1.0, others_busy=0.0, errors=0) for value in cpu]
    latencies = [Latency(100, 200, achieved_rate=3000, errors=0) for _ in cpu]
    return Outcome(peer(name), scenario(where), bursts, latencies, idle, loaded)
