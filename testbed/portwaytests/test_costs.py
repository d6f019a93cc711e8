from __future__ import annotations

import os
import time

from .cluster import CONTROLLER, SYSTEM, PortwayTest, memory, settings
from .gateways import backend, gateway, namespace, route, to

SPACE = "costs"
HOST = "costs.example.com"
PROXIES = "--selector=gateway.networking.k8s.io/gateway-name=web"
# From applying a Gateway, a route and a backend to the first 200 from outside. The best of a few attempts counts: what
# else runs on the machine is not what is measured.
FIRST_PAGE_SECONDS = 3.0
ATTEMPTS = 3
# Megabytes of memory that a process holds, the parts of its program that are in use among them, with one Gateway.
CONTROLLER_MEGABYTES = 40
PROXY_MEGABYTES = 20
# A program that was not built for release is larger and slower.
UNOPTIMISED = 5


class CostTest(PortwayTest):
    """What Portway takes: time and memory."""

    space = SPACE
    objects = [*backend(SPACE, "page"), gateway(SPACE, "web"), route(SPACE, "page", HOST, [to("page")])]

    def test_a_new_gateway_serves_in_seconds(self) -> None:
        took = [self.first_page(number) for number in range(ATTEMPTS)]
        limit = FIRST_PAGE_SECONDS * busy() * (1 if settings.is_release else UNOPTIMISED)
        print(f"    at best {min(took):.1f} s, with {busy():.1f} times as much to do as the machine can", flush=True)
        self.assertLess(min(took), limit, took)

    def first_page(self, number: int) -> float:
        """Seconds from applying a Gateway, a route and a backend to the first page."""
        space = f"soon-{number}"
        self.kubectl("delete", "namespace", space, "--ignore-not-found")
        self.addCleanup(self.kubectl, "delete", "namespace", space, "--ignore-not-found", "--wait=false")
        self.apply(namespace(space))
        objects = [*backend(space, "page"), gateway(space, "web"), route(space, "page", HOST, [to("page")])]
        began = time.monotonic()
        self.apply(*objects)
        applied = time.monotonic() - began
        address = self.address(namespace=space)
        assigned = time.monotonic() - began
        # A first packet that is lost, since nobody has the address yet, would be sent again after one second, and two.
        self.serves(address, HOST, connect=round(0.3 * busy(), 1))
        took = time.monotonic() - began
        print(f"    applied {applied:.1f} s, address {assigned:.1f} s, first page {took:.1f} s", flush=True)
        print(self.phases(space), flush=True)
        return took

    def phases(self, space: str) -> str:
        """When the pods came to what; the API server keeps whole seconds."""
        lines = []
        for pod in self.objects_of("pod", namespace=space):
            conditions = {it["type"]: it["lastTransitionTime"][-3:-1] for it in pod["status"].get("conditions", [])}
            made = pod["metadata"]["creationTimestamp"][-3:-1]
            steps = " ".join(f"{name} :{conditions.get(name, '-')}" for name in ("PodScheduled", "Ready"))
            lines.append(f"      {pod['metadata']['name']}: made :{made} {steps}")
        return "\n".join(lines)

    def test_memory_of_controller_and_proxy(self) -> None:
        self.serves(self.address(), HOST)
        self.rolled_out("web-portway")
        for what, space, selector, limit in [
            ("controller", SYSTEM, CONTROLLER, CONTROLLER_MEGABYTES),
            ("proxy", SPACE, PROXIES, PROXY_MEGABYTES),
        ]:
            for pod in self.objects_of("pod", selector, namespace=space):
                name = pod["metadata"]["name"]
                for pid in self.containers(name, space):
                    held = memory(pid)
                    told = ", ".join(f"{part} {megabytes:.1f}" for part, megabytes in held.items())
                    print(f"    {what} {name}: {told} MB", flush=True)
                    self.assertLess(held["Rss"], limit * (1 if settings.is_release else UNOPTIMISED), name)


def busy() -> float:
    """How much longer everything takes than on a machine that has nothing else to do."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
