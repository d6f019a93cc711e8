"""The results as a table for the terminal."""

from __future__ import annotations

from .results import REFERENCES, Result
from .scenario import Scenario

BUSY_AT_SATURATION = 0.9
"""A proxy that used less of its core than this was not saturated: the load side was."""
RATE_KEPT = 0.97

RATIOS = [f"× {name}" for name in REFERENCES]
HEADINGS = ["", "CPU/req", *RATIOS, "req/s", "core", "p50", "p99", "idle", "loaded", "errors"]
UNITS = ["", "µs", *("" for _ in RATIOS), "", "busy", "µs", "µs", "MB", "MB", ""]

LEGEND = """\
CPU/req: CPU time of the proxy's processes for each request at saturation. × nginx, × envoy: as a multiple of theirs.
req/s: at saturation; with * the proxy did not use its whole core: load generator and backend were the limit.
p50, p99: at a fixed rate, the same for all, as a client sees it; with ! the proxy fell behind the rate.
idle, loaded: resident memory before and after the load, 1 MB = 1,000,000 bytes."""


def render(scenario: Scenario, results: list[Result]) -> str:
    """The table of one scenario."""
    rows = [HEADINGS, UNITS] + [_cells(result, scenario) for result in results if _was_measured(result)]
    lines = [f"{scenario.name}: {scenario.title}; latency at {scenario.rate:,} requests/s", *layout(rows)]
    for result in results:
        if result.trouble:
            lines.append(
                f"  {result.title}: {'broken off' if _was_measured(result) else 'not measured'}: {result.trouble}"
            )
    return "\n".join(lines)


def layout(rows: list[list[str]]) -> list[str]:
    """The rows as lines, their first cells at the left and all others at the right of their columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _was_measured(result: Result) -> bool:
    return result.requests_per_second is not None


def _cells(result: Result, scenario: Scenario) -> list[str]:
    unsaturated = result.proxy_busy is None or result.proxy_busy < BUSY_AT_SATURATION
    behind = result.achieved_rate is not None and result.achieved_rate < RATE_KEPT * scenario.rate
    return [
        result.title,
        number(result.cpu_microseconds, ".1f"),
        *(number(result.cpu_ratio.get(name), ".2f") for name in REFERENCES),
        number(result.requests_per_second, ",.0f") + ("*" if unsaturated else " "),
        number(result.proxy_busy, ".0%"),
        number(result.p50_microseconds, ",.0f"),
        number(result.p99_microseconds, ",.0f") + ("!" if behind else " "),
        _megabytes(result.idle_bytes),
        _megabytes(result.loaded_bytes),
        str(result.errors),
    ]


def number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def _megabytes(size: int | None) -> str:
    return number(None if size is None else size / 1e6, ".1f")
