"""What the report of our own tests says: those of features for which the official suite has none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

PASSED = "Passed"
FAULTS = {"Failed": "fails", "Skipped": "is skipped", "NotRun": "was not run"}


@dataclass(frozen=True)
class Test:
    name: str
    # Passed, Failed, Skipped, or NotRun.
    result: str


@dataclass(frozen=True)
class Feature:
    name: str
    # The proposal that its tests were made from.
    gep: int
    tests: list[Test]


@dataclass(frozen=True)
class OwnReport:
    features: list[Feature]

    @classmethod
    def read(cls, path: Path) -> OwnReport:
        """Reads the report in its JSON form."""
        features = json.loads(path.read_text())["features"]
        return cls([_feature(it) for it in features])

    def faults(self) -> list[str]:
        """Why this is no success, a sentence each: every test must be run, and pass."""
        if not any(feature.tests for feature in self.features):
            return ["none of our own tests was run"]
        return [
            f"{test.name} {FAULTS.get(test.result, test.result)} (our own, of {feature.name})"
            for feature in self.features
            for test in feature.tests
            if test.result != PASSED
        ]

    def table(self) -> str:
        rows = [f"{'our own tests of':<34}{'GEP':>5}{'passed':>8}{'not':>5}"]
        for feature in self.features:
            passed = sum(test.result == PASSED for test in feature.tests)
            rows.append(f"{feature.name:<34}{feature.gep:>5}{passed:>8}{len(feature.tests) - passed:>5}")
        return "\n".join(rows)


def _feature(feature: dict) -> Feature:
    tests = [Test(it["name"], it["result"]) for it in feature.get("tests") or []]
    return Feature(feature["name"], feature["gep"], tests)
