"""What the kernel path has to reach, and whether it does."""

from __future__ import annotations

from ..aims import Aim
from .results import L4Result

RATE_LIMIT = 0.9
"""Of what there is without a balancer: bits, connections and packets in a second."""
USER_SPACE_LIMIT = 3.0
"""Work in a second of the node's CPU time, as a multiple of the best balancer in user space."""


def judge(results: list[L4Result]) -> list[Aim]:
    """Both aims for every scenario of this run in which the kernel path took part."""
    return [aim for it in results if it.balancer == "portway-kernel" for aim in _of_scenario(it, results)]


def _of_scenario(kernel_path: L4Result, results: list[L4Result]) -> list[Aim]:
    same = [it for it in results if it.scenario == kernel_path.scenario]
    user_space = [it for it in same if it.in_user_space and it.cpu_to_kernel_path is not None]
    best = min(user_space, key=lambda it: it.cpu_to_kernel_path or 0.0, default=None)
    name = f"{kernel_path.scenario}: kernel path"
    than = best.title if best else "the best balancer in user space"
    return [
        Aim(f"{name}: rate relative to no balancer", RATE_LIMIT, kernel_path.rate_to_none, "times", at_least=True),
        Aim(
            f"{name}: work for the node's CPU time relative to {than}",
            USER_SPACE_LIMIT,
            best.cpu_to_kernel_path if best else None,
            "times",
            at_least=True,
        ),
    ]
