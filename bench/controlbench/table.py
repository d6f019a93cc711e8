"""Results as tables for a person, in Markdown."""

from __future__ import annotations

Results = list[dict[str, float]]

GROWN = (
    ("routes", "routes", 0),
    ("created in s", "created_seconds", 1),
    ("all serve after s", "all_serve_seconds", 1),
    ("count correct after s", "count_correct_seconds", 1),
    ("writes of the Gateway's status", "gateway_status_writes", 0),
    ("writes of routes' statuses", "route_status_writes", 0),
    ("controller CPU s", "controller_cpu_seconds", 2),
    ("proxy CPU s", "proxy_cpu_seconds", 2),
    ("controller MiB", "controller_mebibytes", 1),
    ("proxy MiB", "proxy_mebibytes", 1),
    ("stream bytes", "stream_bytes", 0),
)
CHANGED = (
    ("routes", "routes", 0),
    ("serves after ms (median)", "median_ms", 1),
    ("(slowest)", "slowest_ms", 1),
    ("controller CPU ms", "controller_cpu_ms", 2),
    ("proxy CPU ms", "proxy_cpu_ms", 2),
    ("stream bytes", "stream_bytes", 0),
)


def tables(grown: Results, changed: Results) -> str:
    parts = ["Routes added to one Gateway:", _table(GROWN, grown, "")]
    for what in ("route", "endpoint"):
        parts += [f"One {what} changed:", _table(CHANGED, changed, f"{what}_")]
    return "\n\n".join(parts)


def _table(columns: tuple[tuple[str, str, int], ...], rows: Results, prefix: str) -> str:
    lines = [[title for title, _, _ in columns], ["---:"] * len(columns)]
    for row in rows:
        value = [row.get(prefix + key, row.get(key, 0.0)) for _, key, _ in columns]
        lines.append([f"{it:,.{digits}f}" for it, (_, _, digits) in zip(value, columns)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
