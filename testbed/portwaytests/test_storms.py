from __future__ import annotations

import time

from localcluster import api

from .cluster import CONTROLLER, SYSTEM, PortwayTest, memory, processes_of_pod
from .gateways import Object, backend, gateway, route, to
from .refusals import MESSAGE, refused

SPACE = "storms"
HOST = "storms.example.com"
ROUTES = f"/apis/gateway.networking.k8s.io/v1/namespaces/{SPACE}/httproutes"
GATEWAYS = "gateway.networking.k8s.io"
# Routes whose statuses are refused, edits of another meanwhile, and routes that are wrong at the same time.
REFUSED = 30
EDITS = 40
BAD = 500
# After which a refused status is tried again (docs/limits.md).
RETRY_SECONDS = 30
QUIET = 8.0


def bad(number: int) -> Object:
    """One of four mistakes."""
    name, host = f"bad-{number}", f"bad-{number}.example.com"
    extension = {"type": "ExtensionRef", "extensionRef": {"group": "example.com", "kind": "Nonsense", "name": "x"}}
    rules = [
        to("nothing"),
        {"backendRefs": [{"group": "example.com", "kind": "Nonsense", "name": "x"}]},
        to("page", matches=[{"path": {"type": "RegularExpression", "value": "/(["}}]),
        to("page", filters=[extension]),
    ]
    return route(SPACE, name, host, [rules[number % len(rules)]])


class StormTest(PortwayTest):
    """What the API server refuses, and very much that is wrong: it is told, and there is no storm of anything."""

    space = SPACE
    objects = [*backend(SPACE, "page"), gateway(SPACE, "web"), route(SPACE, "page", HOST, [to("page")])]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for name in ("page", "web-portway"):
            cls.rolled_out(name)
        cls.at = cls.address()
        cls.serves(cls.at, HOST)

    def test_statuses_that_are_refused(self) -> None:
        probe = ("PATCH", f"{ROUTES}/page/status", {"status": {"parents": []}})
        names = [f"refused-{number}" for number in range(REFUSED)]
        self.addCleanup(self.kubectl, "delete", "httproute", *names, f"--namespace={SPACE}", "--ignore-not-found")
        began = time.monotonic()
        with self.load(self.at, HOST), refused(self, "statuses", GATEWAYS, "httproutes/status", probe):
            with self.watched() as seen, api.Api(self.layout).session() as session:
                self.apply(*(route(SPACE, name, f"{name}.example.com", [to("page")]) for name in names))
                # What a status says is no condition of serving.
                for name in names:
                    self.serves(self.at, f"{name}.example.com")
                for number in range(EDITS):
                    added = {"set": [{"name": "x-edit", "value": str(number)}]}
                    filters = [{"type": "ResponseHeaderModifier", "responseHeaderModifier": added}]
                    session.merge(f"{ROUTES}/page", {"spec": {"rules": [to("page", filters=filters)]}})
                    time.sleep(0.1)
            writes = seen.writes("httproutes/status", SPACE, refused=True)
            rounds = 1 + int((time.monotonic() - began) / RETRY_SECONDS)
            told = [line for line in seen.lines if MESSAGE in line]
            print(f"    {writes} writes refused, {len(told)} lines", flush=True)
            # The one that is edited is another object each time.
            self.assertGreaterEqual(writes, REFUSED, seen)
            self.assertLessEqual(writes, (REFUSED + 2) * rounds + EDITS, seen)
            # Of each pass of writes no more than twenty are told (docs/limits.md), and none of them twice.
            self.assertIn(len(told), range(1, REFUSED + 10), seen)
        for name in [*names, "page"]:
            what, seconds = f"the status of {name}", RETRY_SECONDS + 10
            self.eventually(lambda name=name: self.is_told("httproute", name, "Accepted", "True"), what, seconds)

    def test_very_many_bad_objects_at_once(self) -> None:
        names = [f"bad-{number}" for number in range(BAD)]
        self.addCleanup(self.remove_all)
        began = time.monotonic()
        with self.load(self.at, HOST), self.watched() as seen:
            with api.Api(self.layout).session() as session:
                for number in range(BAD):
                    status, answer = session.request("POST", ROUTES, bad(number))
                    self.assertEqual(status, 201, answer)
                made = time.monotonic() - began
            self.eventually(lambda: self.told(names), f"the conditions of {BAD} bad routes")
            took = time.monotonic() - began
        resources = ("httproutes/status", "gateways/status", "events")
        routes, gateways, events = (seen.writes(it, SPACE) for it in resources)
        print(
            f"    {BAD} bad routes made in {made:.1f} s, all told after {took:.1f} s: {routes} + {gateways} writes of "
            f"statuses, {events} of Events, {len(seen.lines)} lines",
            flush=True,
        )
        self.assertLessEqual(routes, 2 * BAD, seen)
        self.assertLessEqual(gateways, BAD / 2, seen)
        # Twenty in ten seconds (docs/limits.md).
        windows = 2 + int(took / 10)
        self.assertLessEqual(len(seen.lines), 25 * windows, seen)
        self.assertLessEqual(events, 25 * windows, seen)
        with self.watched() as seen:
            time.sleep(QUIET)
        for resource in resources:
            self.assertEqual(seen.writes(resource, SPACE), 0, seen)
        for pod in self.objects_of("pod", CONTROLLER, namespace=SYSTEM):
            for pid in processes_of_pod(pod["metadata"]["uid"]):
                held = memory(pid)["Pss"]
                print(f"    {pod['metadata']['name']}: {held:.1f} MB", flush=True)

    def remove_all(self) -> None:
        self.kubectl("delete", "httproute", "--all", f"--namespace={SPACE}", "--wait=false")
        self.apply(route(SPACE, "page", HOST, [to("page")]))
        self.serves(self.at, HOST)

    def told(self, names: list[str]) -> bool:
        """Whether the API server has a condition that tells the mistake, for each."""
        found = {}
        for it in self.objects_of("httproute"):
            conditions = [c for parent in it.get("status", {}).get("parents", []) for c in parent["conditions"]]
            found[it["metadata"]["name"]] = any(c["status"] == "False" for c in conditions)
        return all(found.get(name) for name in names)
