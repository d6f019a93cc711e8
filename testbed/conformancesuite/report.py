"""What the suite's report says, and whether it is the success that we want: everything supported, run and passed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROFILES = ("GATEWAY-HTTP", "GATEWAY-GRPC", "GATEWAY-TLS", "GATEWAY-TCP", "GATEWAY-UDP")


@dataclass(frozen=True)
class Line:
    """Core or extended tests of one profile."""

    profile: str
    level: str
    passed: int
    failed: list[str]
    skipped: list[str]


@dataclass(frozen=True)
class Report:
    lines: list[Line]
    # Extended features, of all profiles together.
    supported: list[str]
    unsupported: list[str]
    provisional: list[str]

    @classmethod
    def read(cls, path: Path) -> Report:
        """Reads the report in its JSON form."""
        report = json.loads(path.read_text())
        profiles = report.get("profiles") or []
        return cls(
            lines=[line for profile in _in_order(profiles) for line in _lines(profile)],
            supported=_features(profiles, "supportedFeatures"),
            unsupported=_features(profiles, "unsupportedFeatures"),
            provisional=report.get("succeededProvisionalTests") or [],
        )

    def faults(self) -> list[str]:
        """Why this is no success, a sentence each."""
        found = [f"{test} fails ({places})" for test, places in self._places(lambda line: line.failed).items()]
        found += [f"{test} is skipped ({places})" for test, places in self._places(lambda line: line.skipped).items()]
        found += [f"the feature {feature} is not supported" for feature in self.unsupported]
        run = {(line.profile, line.level) for line in self.lines if line.passed or line.failed}
        found += [
            f"no test of {profile}, {level}, was run"
            for profile in PROFILES
            for level in ("core", "extended")
            if (profile, level) not in run
        ]
        return found

    def _places(self, tests: Callable[[Line], list[str]]) -> dict[str, str]:
        """The profiles of each of these tests; most are in several."""
        found: dict[str, list[str]] = {}
        for line in self.lines:
            for test in tests(line):
                found.setdefault(test, []).append(f"{line.profile} {line.level}")
        return {test: ", ".join(places) for test, places in found.items()}

    def table(self) -> str:
        rows = [f"{'profile':<14}{'level':<10}{'passed':>8}{'failed':>8}{'skipped':>9}"]
        rows += [
            f"{line.profile:<14}{line.level:<10}{line.passed:>8}{len(line.failed):>8}{len(line.skipped):>9}"
            for line in self.lines
        ]
        rows.append(f"extended features: {len(self.supported)} supported, {len(self.unsupported)} not")
        rows.append(f"provisional tests passed: {len(self.provisional)}")
        return "\n".join(rows)


def _in_order(profiles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The suite writes them in any order."""
    return sorted(profiles, key=lambda profile: PROFILES.index(profile["name"]))


def _lines(profile: dict[str, Any]) -> Iterator[Line]:
    for level in ("core", "extended"):
        if found := profile.get(level):
            failed, skipped = found.get("failedTests") or [], found.get("skippedTests") or []
            yield Line(profile["name"], level, found["statistics"]["Passed"], failed, skipped)


def _features(profiles: list[dict[str, Any]], which: str) -> list[str]:
    return sorted({feature for profile in profiles for feature in (profile.get("extended") or {}).get(which) or []})
