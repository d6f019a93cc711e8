"""What becomes of connections when agents die, are replaced, or lose their node."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from localcluster import api, processes

from .cluster import SYSTEM, settings
from .edge import TAKE_OVER, EdgeTest

# Kept from the beginning to the end of a test.
KEPT = ("--connections=16", "--quiet=32")


class AgentFaultsTest(EdgeTest):
    """No connection that stands is lost. The Gateway is younger than the agents: what came before them is let alone."""

    space = "agent-faults"

    def assert_nothing_lost(self, told: dict[str, Any]) -> None:
        self.assertEqual((told["established"], told["new"]), ([], []))
        self.assertLess(told["pauses"]["datagrams"], TAKE_OVER)
        self.assertLess(told["pauses"]["established"], TAKE_OVER)

    def setUp(self) -> None:
        self.lead_to(("left", 1), ("right", 1))

    def test_connections_go_on_when_their_address_moves(self) -> None:
        holder = self.holder(self.at)
        with self.peers(self.at, *KEPT) as told:
            self.move_to(self.other(holder))
            time.sleep(1)
            self.move_to(holder)
        self.assert_nothing_lost(told)

    def test_connections_survive_agents_that_are_killed(self) -> None:
        with self.peers(self.at, *KEPT) as told:
            for _ in range(settings.kills):
                os.kill(self.agent(self.holder(self.at)), signal.SIGKILL)
                time.sleep(0.5)
        self.assert_nothing_lost(told)

    def test_connections_survive_a_rolling_upgrade(self) -> None:
        with self.peers(self.at, *KEPT) as told:
            self.kubectl("rollout", "restart", "daemonset/portway-agent", f"--namespace={SYSTEM}")
            self.rolled_out_agents()
            self.install("agent.enabled=true", "agent.logLevel=info")
            self.rolled_out_agents()
        self.assert_nothing_lost(told)

    def test_nothing_moves_while_the_api_server_is_away(self) -> None:
        holder = self.holder(self.at)
        # So that what comes next is acted on.
        self.addCleanup(self.rolled_out, "page")
        self.addCleanup(self.kubectl, "scale", "deployment/page", "--replicas=1", f"--namespace={self.space}")
        self.addCleanup(self.wake_kubernetes)
        self.addCleanup(self.eventually, api.Api(self.layout).is_ready, "the API server")
        self.addCleanup(processes.start, self.layout, "kube-apiserver")
        with self.peers(self.at, *KEPT) as told:
            processes.stop(self.layout, "kube-apiserver")
            time.sleep(settings.outage / 4)
            self.assertEqual(set(self.holders(self.at).values()), {holder})
        self.assert_nothing_lost(told)

    def test_connections_to_another_node_survive_the_restart_of_theirs(self) -> None:
        """Of the one that they came by: its agent and its maps are gone, and for a while its cable."""
        self.lead_to(("right", 1))
        self.move_to("node1")
        agent, cable = self.agent("node1"), ["ip", "link", "set", "node1"]
        self.addCleanup(self.outside, *cable, "up")
        with self.peers(self.at, *KEPT) as told:
            self.outside(*cable, "down")
            os.kill(agent, signal.SIGKILL)
            self.forget("node1")
            self.eventually(lambda: self.status("node2"), "node2")
            time.sleep(3)
            self.outside(*cable, "up")
            self.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")
            self.assertEqual(self.holder(self.at), "node2")
        self.assert_nothing_lost(told)
