from __future__ import annotations

import time
from typing import Any

from .cluster import PortwayTest, settings
from .gateways import Object, backend, gateway, route, to

HOST = "changes.example.com"
# From applying a Gateway, a route and a backend to the first 200, on a machine that does other things too.
FIRST_PAGE_SECONDS = 30


class ChangeTest(PortwayTest):
    """Changes of what is configured, and of those that serve it."""

    space = "changes"
    objects = [
        *backend("changes", "a"),
        *backend("changes", "b"),
        gateway("changes", "web"),
        route("changes", "page", HOST, [to("a")]),
    ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for name in ("a", "b", "web-portway"):
            cls.rolled_out(name)

    def setUp(self) -> None:
        self.apply(route(self.space, "page", HOST, [to("a")]))
        self.at = self.address()
        self.serves(self.at, HOST)

    def test_edits_of_a_route(self) -> None:
        with self.load(self.at, HOST, "--path=/", "--path=/cart?item=7") as told:
            for number in range(settings.edits):
                self.apply(route(self.space, "page", HOST, edit(number)))
        # All the while there were edits by which one or the other serves.
        self.assertEqual({it.split("-")[0] for it in told["answers"]}, {"a", "b"})

    def test_rollout_and_scale_in_of_a_backend_under_posts(self) -> None:
        before = {pod["metadata"]["name"] for pod in self.objects_of("pod", "--selector=app=a")}
        with self.load(self.at, HOST, "--post") as told:
            self.restart("a")
            self.kubectl("scale", "deployment/a", "--replicas=1", f"--namespace={self.space}")
            self.eventually(lambda: len(self.objects_of("pod", "--selector=app=a")) == 1, "one pod to be left")
            self.kubectl("scale", "deployment/a", "--replicas=2", f"--namespace={self.space}")
            self.rolled_out("a")
        self.assertTrue(told["answers"].keys() - before, "the new pods have served")

    def test_a_new_gateway_serves_in_seconds(self) -> None:
        self.addCleanup(self.kubectl, "delete", "namespace", "soon", "--wait=false")
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "soon"}})
        began = time.monotonic()
        self.apply(
            *backend("soon", "page"), gateway("soon", "web"), route("soon", "page", "soon.example.com", [to("page")])
        )
        address = self.address(namespace="soon")
        self.serves(address, "soon.example.com")
        took = time.monotonic() - began
        print(f"    {took:.1f} s from applying Gateway, route and backend to the first 200", flush=True)
        self.assertLess(took, FIRST_PAGE_SECONDS)


def edit(number: int) -> list[Object]:
    """Rules by which every request is served, each time other ones."""
    header: dict[str, Any] = {"name": "x-edit", "value": str(number)}
    modified = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [header]}}
    rewritten = {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
    }
    cart = {"path": {"type": "PathPrefix", "value": "/cart"}}
    query = {"queryParams": [{"name": "item", "value": "7"}]}
    forms = [
        [to("a")],
        [to("b")],
        [to(("a", number % 9 + 1), ("b", 5))],
        [to("a", filters=[modified]), to("b", matches=[cart])],
        [to("b", matches=[cart], filters=[rewritten]), to("a", filters=[modified])],
        [to("a", matches=[query]), to("b")],
        [to(("a", 0), ("b", 1), filters=[modified])],
    ]
    return forms[number % len(forms)]
