"""The run as JSON, for machines and for comparison with later runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .aims import Aim
from .l4.part import L4Part
from .results import Result
from .scenario import Scenario

FORMAT = 1
"""Raised whenever a field changes its meaning or goes away."""


def write(
    path: Path,
    header: dict[str, Any],
    scenarios: list[Scenario],
    results: list[Result],
    aims: list[Aim],
    part: L4Part,
) -> None:
    """Writes the record to `path` and makes its directory where needed."""
    record = {
        "format": FORMAT,
        **header,
        "scenarios": [_scenario(scenario) for scenario in scenarios],
        "results": [asdict(result) for result in results],
        "l4": part.record(),
        "aims": [{**asdict(aim), "verdict": aim.verdict} for aim in aims],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "protocol": scenario.protocol.name,
        "connections": scenario.connections,
        "streams": scenario.streams,
        "body_bytes": scenario.body,
        "routes": len(scenario.routes),
        "rate": scenario.rate,
    }
