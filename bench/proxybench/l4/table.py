"""The results of layer 4 as tables for the terminal."""

from __future__ import annotations

from ..table import BUSY_AT_SATURATION, layout, number
from .results import L4Result
from .scenario import L4Scenario

LEGEND = """\
CPU: time that the node's core spent on what was forwarded, by kernel and by the balancer's process. × none: as a
multiple of the row "no balancer", in which the node only routes. × kernel: CPU as a multiple of Portway's kernel path.
With * the node did not use its whole core: load generator and server were the limit. Noise: that core's other work."""


def render(scenario: L4Scenario, results: list[L4Result]) -> str:
    """The table of one scenario."""
    unit = scenario.unit
    headings = ["", unit.rate, "× none", f"CPU ms/{unit.work}", "× none", "× kernel", "core", "noise", "errors"]
    measured = [it for it in results if it.per_second is not None]
    lines = [f"{scenario.name}: {scenario.title}", *layout([headings, *(_cells(it, scenario) for it in measured)])]
    for it in results:
        if it.trouble:
            verdict = "not measured" if it.per_second is None else "broken off"
            lines.append(f"  {it.title}: {verdict}: {it.trouble}")
    return "\n".join(lines)


def _cells(result: L4Result, scenario: L4Scenario) -> list[str]:
    unit = scenario.unit
    unsaturated = result.node_busy is None or result.node_busy < BUSY_AT_SATURATION
    rate = None if result.per_second is None else result.per_second / unit.rate_scale
    cost = None if result.cpu_nanoseconds is None else result.cpu_nanoseconds * unit.work_scale / 1e6
    return [
        result.title,
        number(rate, ".2f" if unit.rate_scale > 1 else ",.0f") + ("*" if unsaturated else " "),
        number(result.rate_to_none, ".2f"),
        number(cost, ".1f"),
        number(result.cpu_to_none, ".2f"),
        number(result.cpu_to_kernel_path, ".2f"),
        number(result.node_busy, ".0%"),
        number(result.others_busy, ".0%"),
        str(result.errors),
    ]
