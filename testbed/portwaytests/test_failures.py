from __future__ import annotations

import os
import signal
import time

from localcluster import api, processes

from .cluster import SECONDS, SYSTEM, PortwayTest, settings
from .gateways import backend, gateway, route, to

HOST = "failures.example.com"
PROXY = "web-portway"
# In seconds, with what it takes to ask twice for the Lease.
HAND_OVER = 2.0
PROXIES = "--selector=gateway.networking.k8s.io/gateway-name=web"


class FailureTest(PortwayTest):
    """Restarts, crashes and absences, while a page is asked for: nobody notices."""

    space = "failures"
    objects = [
        *backend("failures", "page"),
        gateway("failures", "web"),
        route("failures", "page", HOST, [to("page")]),
    ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(cls.wake_kubernetes)
        cls.at = cls.address()
        cls.serves(cls.at, HOST)
        cls.rolled_out(PROXY)
        cls.rolled_out("page")

    def tearDown(self) -> None:
        self.eventually(self.leader, "a leader")
        self.a_change_is_served()

    def a_change_is_served(self, seconds: float = SECONDS) -> None:
        """The controller is at work."""
        began = time.monotonic()
        path = f"/at-{time.monotonic_ns()}"
        respond = {"type": "RequestRedirect", "requestRedirect": {"hostname": "moved.example.com", "statusCode": 302}}
        moved = {"matches": [{"path": {"type": "Exact", "value": path}}], "filters": [respond]}
        self.apply(route(self.space, "moved", HOST, [moved]))
        self.eventually(lambda: self.get(self.at, HOST, path)[0] == 302, "a change to be served", seconds)
        print(f"    {time.monotonic() - began:.1f} s until a change was served", flush=True)

    def test_rollout_of_the_proxies(self) -> None:
        with self.load(self.at, HOST):
            self.restart(PROXY)

    def test_a_controller_is_killed(self) -> None:
        leader = self.leader()
        with self.load(self.at, HOST):
            for pid in self.containers(leader, SYSTEM):
                os.kill(pid, signal.SIGKILL)
            self.a_change_is_served()

    def test_a_leader_hands_over(self) -> None:
        leader = self.leader()
        with self.load(self.at, HOST):
            # As the kubelet does when the pod is deleted; but how soon that hears of it is not what is asked here.
            began = time.monotonic()
            for pid in self.containers(leader, SYSTEM):
                os.kill(pid, signal.SIGTERM)
            self.eventually(lambda: self.leader() not in ("", leader), "another leader")
            took = time.monotonic() - began
            print(f"    {took:.1f} s until another led", flush=True)
            self.assertLess(took, HAND_OVER)
            self.a_change_is_served()
        self.rolled_out("portway-controller", SYSTEM)

    # After this one, kube-proxy pauses for up to half a minute before it asks the API server again, and leads nobody to
    # a new leader until then. Tests run in the order of their names, and the one of the hand-over comes before it.
    def test_the_api_server_is_away_and_a_proxy_crashes(self) -> None:
        # Not those that an earlier rollout has told to end.
        standing = [pod for pod in self.objects_of("pod", PROXIES) if "deletionTimestamp" not in pod["metadata"]]
        pods = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in standing}
        victim, other = sorted(pods)
        pids = self.containers(victim, self.space)
        self.assertTrue(pids)
        port = str(self.object("service", PROXY)["spec"]["ports"][0]["targetPort"])
        processes.stop(self.layout, "kube-apiserver")
        try:
            with self.load(self.at, HOST) as told:
                time.sleep(settings.outage / 2)
            self.assertGreater(told["answered"], settings.outage)
            # Without an API server no kube-proxy hears of a crash, and what the proxy was about to answer is lost with
            # it. The other one goes on, and it comes back by what it has kept: nobody else could tell it anything.
            with self.load(pods[other], HOST, f"--port={port}"):
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(settings.outage / 2)
            self.serves(f"{pods[victim]}:{port}", HOST)
            with self.load(self.at, HOST):
                time.sleep(5)
        finally:
            processes.start(self.layout, "kube-apiserver")
        self.eventually(self.answers, "the API server")
        with self.load(self.at, HOST):
            # Pauses between attempts to watch are two seconds at most (docs/limits.md).
            self.a_change_is_served(seconds=60)

    def answers(self) -> bool:
        return api.Api(self.layout).is_ready()

    def test_the_lease_is_renewed_in_peace(self) -> None:
        seen = set()
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            seen |= {it["spec"]["renewTime"] for it in self.objects_of("lease", namespace=SYSTEM)}
        # Every 1.5 s, and by nobody else.
        self.assertIn(len(seen), range(2, 8))
