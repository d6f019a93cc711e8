"""A second run of what failed in a machine that others use, too.

The suite waits for a minute at most, for whatever it waits for, and a machine of two cores may be busy with something else
for so long. A defect of ours fails again. The report stays that of the first run, so that it never tells more than was so;
which tests needed the second run is printed.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from localcluster.layout import Layout

from . import run as suite

# Of more than these, something is wrong.
AT_MOST = 4


def may_be_unsteady(failed: list[str], faults: list[str]) -> bool:
    """Whether nothing is at fault but these tests."""
    return 0 < len(failed) <= AT_MOST and all(any(fault.startswith(f"{test} fails") for test in failed) for fault in faults)


def run(layout: Layout, options: suite.Options, failed: list[str], target: Path) -> list[str]:
    """Runs each of them alone. Those that fail again."""
    return [test for test in failed if not _passes(layout, dataclasses.replace(options, test=test), test, target)]


def _passes(layout: Layout, options: suite.Options, test: str, target: Path) -> bool:
    folder = target / "again" / test
    folder.mkdir(parents=True, exist_ok=True)
    print(f"\n{test} once more, alone", flush=True)
    suite.remove_leftovers(layout)
    status, outcomes = suite.run(layout, options, folder)
    passes = status == 0 and any(outcome == suite.Outcome(test, "PASS", outcome.seconds) for outcome in outcomes)
    print(f"UNSTEADY: {test} failed, and passes alone" if passes else f"{test} fails again: {folder}", flush=True)
    return passes
