from __future__ import annotations

import json
import os
import signal
import time

from .agents import pod, routes
from .cluster import settings
from .edge import PAGE, PODS, TAKE_OVER, TOLD, EdgeTest

SPACE = "agent"


class AgentTest(EdgeTest):
    """What agents serve, and to whom the address belongs."""

    space = SPACE

    def test_tcp_and_udp_reach_local_and_remote_pods_by_the_kernel_with_their_weights(self) -> None:
        self.lead_to(("left", 3), ("right", 1))
        holder = self.holder(self.at)
        before = self.metric(holder, "portway_kernel_flows_total")
        told = self.ask(self.at, "--times=1000")
        self.assertGreaterEqual(self.metric(holder, "portway_kernel_flows_total") - before, 1000)
        answers = {name: 0 for name in PODS}
        for it, count in told["connections"].items():
            answers[it.split()[0]] += count
        share = (answers["left-1"] + answers["left-2"]) / 1000
        # Hashes of ports, not turns: so many connections are right to 3 % with two standard deviations.
        self.assertAlmostEqual(share, 0.75, delta=0.05, msg=str(answers))
        self.assertGreater(min(answers.values()), 50, answers)
        self.assertGreater(len(told["datagrams"]), 1)
        # Who is on the node that announces the address sees who asks.
        local = [it for it in told["connections"] if PODS[it.split()[0]] == holder]
        self.assertEqual({it.split()[1] for it in local}, {str(self.layout.client_address)})

    def test_all_listeners_of_an_address_are_at_one_node_which_a_lease_tells(self) -> None:
        self.lead_to(("left", 1), ("right", 1))
        self.assertIn("Server name: page-", self.serves(self.at, PAGE))
        holder = self.holder(self.at)
        name = f"portway-address-{self.at.replace('.', '-')}"
        lease = self.eventually(lambda: self.lease_of(name, holder), f"the Lease {name} to name {holder}")
        self.assertGreaterEqual(lease["spec"]["leaseTransitions"], 1)
        self.assertEqual(sum(self.metric(node, "portway_agent_addresses_held") for node in set(PODS.values())), 1)

    def test_a_proxy_sees_who_asks_whichever_node_has_the_address(self) -> None:
        self.lead_to(("left", 1), ("right", 1))
        for holder in ("node1", "node2"):
            self.move_to(holder)
            with self.subTest(f"{holder} announces the address"):
                self.assert_proxy_sees_client(holder)

    def assert_proxy_sees_client(self, holder: str) -> None:
        client, path = str(self.layout.client_address), f"/from-{holder}-{time.time_ns()}"
        self.serves(self.at, TOLD)
        before = self.metric(holder, "portway_kernel_flows_total")
        self.assertEqual(self.get(self.at, TOLD, path), (200, client), "X-Forwarded-For")
        self.assertGreaterEqual(self.metric(holder, "portway_kernel_flows_total") - before, 1)
        line = self.eventually(lambda: self.logged(path), f"the line of {path} in the access log")
        self.assertEqual([line["client"].rpartition(":")[0] or line["client"], line["peer"].rpartition(":")[0]], [client] * 2)

    def logged(self, path: str) -> dict | None:
        """The line of the access log for a path."""
        pods = self.objects_of("pod", "--selector=gateway.networking.k8s.io/gateway-name=edge")
        logs = (self.kubectl("logs", pod["metadata"]["name"], f"--namespace={SPACE}") for pod in pods)
        found = [json.loads(line) for log in logs for line in log.splitlines() if path in line and line.startswith("{")]
        return next((it for it in found if it.get("path") == path), None)

    def lease_of(self, name: str, holder: str) -> dict | None:
        found = [it for it in self.objects_of("lease", namespace="portway-system") if it["metadata"]["name"] == name]
        return next((it for it in found if it["spec"].get("holderIdentity") == holder), None)

    def test_a_pod_reaches_itself_and_its_neighbour_by_the_address(self) -> None:
        self.lead_to(("one", 1))
        for name in ("left-1", "left-2", "right-1"):
            for holder in ("node1", "node2"):
                self.move_to(holder)
                with self.subTest(f"{name}, while {holder} announces the address"):
                    told = self.ask(self.at, "--times=5", within=self.within(name))
                    self.assertEqual({it.split()[0] for it in told["connections"]}, {"left-1"})
                    self.assertEqual({it.split()[0] for it in told["datagrams"]}, {"left-1"})

    def test_a_pod_that_ends_keeps_its_connections_for_its_grace_and_gets_no_new_ones(self) -> None:
        self.apply(pod(SPACE, "left-3", "node1"))
        self.serve("left-3")
        self.addCleanup(self.kubectl, "delete", "pod", "left-3", f"--namespace={SPACE}", "--ignore-not-found")
        self.apply(*routes(SPACE, ("left", 1)))
        self.eventually(lambda: any(it.startswith("left-3 ") for it in self.ask(self.at)["connections"]), "left-3")
        with self.peers(self.at, "--connections=12") as told:
            self.kubectl("delete", "pod", "left-3", f"--namespace={SPACE}", "--wait=false")
            # Less than its grace.
            time.sleep(3)
            last = self.ask(self.at, "--times=60")["connections"]
        self.assertFalse([it for it in last if it.startswith("left-3 ")], last)
        self.assertEqual((told["established"], told["new"]), ([], []))

    def test_a_drained_node_hands_its_addresses_over_at_once(self) -> None:
        self.lead_to(("left", 1), ("right", 1))
        holder = self.holder(self.at)
        with self.peers(self.at) as told:
            self.move_to(next(node for node in PODS.values() if node != holder))
        self.assertEqual(told["new"], [])
        self.assertLess(told["pauses"]["datagrams"], TAKE_OVER)

    def test_a_node_that_is_cut_off_loses_its_addresses_within_a_second(self) -> None:
        self.lead_to(("left", 1))
        self.move_to("node2")
        cable = ["ip", "link", "set", "node2"]
        self.addCleanup(self.outside, *cable, "up")
        with self.peers(self.at, "--connections=0") as told:
            self.outside(*cable, "down")
            time.sleep(3)
        self.assertEqual(told["new"], [])
        self.assertLess(told["pauses"]["datagrams"], TAKE_OVER)
        self.outside(*cable, "up")
        self.assertEqual(self.holder(self.at), "node1")
        self.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s")

    def test_agents_that_are_killed_cost_no_new_connection(self) -> None:
        """Nor others: see AgentFaultsTest."""
        self.lead_to(("left", 1), ("right", 1))
        with self.peers(self.at) as told:
            for _ in range(settings.kills):
                os.kill(self.agent(self.holder(self.at)), signal.SIGKILL)
                time.sleep(0.5)
        self.assertEqual(told["new"], [])
        self.assertLess(told["pauses"]["datagrams"], TAKE_OVER)
        self.assertGreater(told["connections"], 100)
