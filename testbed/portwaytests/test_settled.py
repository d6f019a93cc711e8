from __future__ import annotations

import time

from .cluster import SYSTEM, PortwayTest
from .gateways import gateway
from .test_provisioning import KINDS

SPACE = "settled"
PLURALS = ("serviceaccounts", "configmaps", "services", "services/status", "deployments", "poddisruptionbudgets")


class SettledTest(PortwayTest):
    """What serves a Gateway as it should is left alone."""

    space = SPACE
    objects = [gateway(SPACE, "web")]

    def test_what_is_there_is_not_written_again_by_another_controller(self) -> None:
        self.rolled_out("web-portway")
        self.eventually(lambda: self.is_told("gateway", "web", "Programmed", "True"), "the Gateway to be served")

        def versions() -> list[object]:
            found = [self.object(kind, "web-portway")["metadata"] for kind in KINDS]
            return [it.get("generation", it["resourceVersion"]) for it in found]

        before = versions()
        with self.watched() as seen:
            self.restart("portway-controller", SYSTEM)
            self.eventually(self.leader, "a leader")
            time.sleep(5)
        self.assertEqual(versions(), before)
        for resource in PLURALS:
            self.assertEqual(seen.writes(resource, SPACE), 0, seen)
