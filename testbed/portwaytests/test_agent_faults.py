"""What becomes of connections when agents die, are replaced, or lose their node."""

from __future__ import annotations

import os
import signal
import time

from .cluster import SECONDS, SYSTEM, settings
from .edge import PODS, TAKE_OVER, EdgeTest

# Kept from the beginning to the end of a test.
KEPT = "--connections=48"


class AgentFaultsTest(EdgeTest):
    """No connection that stands is lost. The Gateway is younger than the agents: what came before them is let alone."""

    space = "agent-faults"

    def assert_nothing_lost(self, told: dict) -> None:
        self.assertEqual((told["established"], told["new"]), ([], []))
        self.assertLess(told["pauses"]["datagrams"], TAKE_OVER)
        self.assertLess(told["pauses"]["established"], TAKE_OVER)

    def setUp(self) -> None:
        self.lead_to(("left", 1), ("right", 1))

    def test_connections_go_on_when_their_address_moves(self) -> None:
        holder = self.holder(self.at)
        with self.peers(self.at, KEPT) as told:
            self.move_to(self.other(holder))
            time.sleep(1)
            self.move_to(holder)
        self.assert_nothing_lost(told)

    def test_connections_survive_agents_that_are_killed(self) -> None:
        with self.peers(self.at, KEPT) as told:
            for _ in range(settings.kills):
                os.kill(self.agent(self.holder(self.at)), signal.SIGKILL)
                time.sleep(0.5)
        self.assert_nothing_lost(told)

    def test_connections_survive_a_rolling_upgrade(self) -> None:
        with self.peers(self.at, KEPT) as told:
            self.kubectl("rollout", "restart", "daemonset/portway-agent", f"--namespace={SYSTEM}")
            self.rolled()
            self.install("agent.enabled=true", "agent.logLevel=info")
            self.rolled()
        self.assert_nothing_lost(told)

    def rolled(self) -> None:
        where = f"--namespace={SYSTEM}"
        self.kubectl("rollout", "status", "daemonset/portway-agent", where, f"--timeout={SECONDS}s")
