from __future__ import annotations

import json
import time

from localcluster import api, processes
from localcluster.processes import in_namespace

from .cluster import CONTROLLER, SYSTEM, PortwayTest
from .gateways import backend, gateway, route, to

HOST = "expiry.example.com"
ETCD = "http://127.0.0.1:2379/v3/kv"
# Some of the kinds that the controllers watch.
WATCHED = ("gateways", "httproutes", "listenersets", "addresspools", "namespaces", "customresourcedefinitions")


class ExpiryTest(PortwayTest):
    """Watches that end because their place in the history is gone."""

    space = "expiry"
    objects = [*backend("expiry", "page"), gateway("expiry", "web"), route("expiry", "page", HOST, [to("page")])]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(cls.wake_kubernetes)

    def test_watches_whose_history_is_compacted(self) -> None:
        for name in ("page", "web-portway"):
            self.rolled_out(name)
        at = self.address()
        self.serves(at, HOST)
        pods = len(self.objects_of("pod", CONTROLLER, namespace=SYSTEM))
        with self.load(at, HOST), self.watched() as seen:
            # An API server that begins anew knows nothing from before, and etcd has it no more either: it answers all
            # watches that are to go on from where they were with 410.
            processes.stop(self.layout, "kube-apiserver")
            self.compact()
            processes.start(self.layout, "kube-apiserver")
            self.eventually(api.Api(self.layout).is_ready, "the API server")
            began = time.monotonic()
            self.apply(route(self.space, "more", "more.example.com", [to("page")]))
            self.serves(at, "more.example.com")
            print(f"    {time.monotonic() - began:.1f} s until a change was served", flush=True)
            time.sleep(4)
        for resource in WATCHED:
            # Each controller lists each kind once, or once more where the API server did not know its rights yet.
            with self.subTest(resource):
                self.assertIn(seen.count("list", resource, refused=False), range(pods, pods + 1), seen)
                self.assertLess(seen.count("list watch", resource, refused=True), 8 * pods, seen)
        print(f"    {len(seen.lines)} lines", flush=True)
        # A line for each kind that is watched tells that the connection broke, and nothing is said of permissions.
        self.assertLess(len(seen.lines), 30 * pods, seen)
        self.assertFalse([line for line in seen.lines if "permission" in line])

    def compact(self) -> None:
        """Makes etcd forget all but the present."""
        header = self.etcd("range", '{"key": "AA=="}')["header"]
        self.etcd("compaction", f'{{"revision": "{header["revision"]}", "physical": true}}')

    def etcd(self, operation: str, body: str) -> dict[str, dict[str, str]]:
        curl = ["curl", "--silent", "--show-error", "--fail", "--max-time", "30", "--data", body, f"{ETCD}/{operation}"]
        done = processes.run(in_namespace(self.layout.node_namespace(1), curl))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)
