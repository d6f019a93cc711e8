from __future__ import annotations

import time
from typing import Any

from localcluster.api import Api

from .cluster import PortwayTest, settings
from .gateways import Object, backend, gateway, route, to

HOST = "edits.example.com"
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/edits/httproutes/page"
# Each edit is more than the one before would have been joined with: a translation of its own, most of the time.
PAUSE = 0.03
# After so many it is waited for what was edited to be served.
ROUND = 50
ROUND_SECONDS = 20


class EditTest(PortwayTest):
    """Edits of a route, one after the other."""

    space = "edits"
    objects = [
        *backend("edits", "a"),
        *backend("edits", "b"),
        gateway("edits", "web"),
        route("edits", "page", HOST, [to("a")]),
    ]

    def test_edits_of_a_route(self) -> None:
        for name in ("a", "b", "web-portway"):
            self.rolled_out(name)
        at = self.address()
        self.serves(at, HOST)
        slowest = 0.0
        began = time.monotonic()
        with self.load(at, HOST, "--path=/", "--path=/cart?item=7") as told, Api(self.layout).session() as session:
            for number in range(settings.edits):
                session.merge(ROUTE, {"spec": {"rules": edit(number)}})
                if number % ROUND == ROUND - 1 or number == settings.edits - 1:
                    slowest = max(slowest, self.is_served(at, number))
                time.sleep(PAUSE)
        took = time.monotonic() - began
        print(f"    {settings.edits} edits in {took:.0f} s; one was served within {slowest:.2f} s at most", flush=True)
        # All the while there were edits by which one or the other serves.
        self.assertEqual({it.split("-")[0] for it in told["answers"]}, {"a", "b"})

    def is_served(self, at: str, number: int) -> float:
        """Waits until an edit is what every proxy serves by; returns how long that took."""
        began = time.monotonic()
        shown = f"x-edit: {number}\n"
        curl = ["curl", "--silent", "--max-time", "5", "--output", "/dev/null", "--dump-header", "-"]
        asked = [*curl, "--header", f"Host: {HOST}", f"http://{at}/cart?item=7"]

        def served() -> bool:
            return all(shown in self.outside(*asked).replace("\r", "") for _ in range(4))

        self.eventually(served, f"edit {number} to be served", ROUND_SECONDS)
        return time.monotonic() - began


def edit(number: int) -> list[Object]:
    """Rules by which every request is served, each time other ones, and all of them tell the number of the edit."""
    header: dict[str, Any] = {"name": "x-edit", "value": str(number)}
    shown = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [header]}}
    sent = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [header], "remove": ["x-other"]}}
    replaced = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    rewritten = {"type": "URLRewrite", "urlRewrite": {"path": replaced}}
    cart = {"path": {"type": "PathPrefix", "value": "/cart"}}
    exact = {"path": {"type": "Exact", "value": "/cart"}, "method": "GET"}
    query = {"queryParams": [{"name": "item", "value": "7"}]}
    other = {"headers": [{"name": "x-other", "value": str(number)}]}
    forms = [
        # backendRefs
        [to("a", filters=[shown])],
        [to("b", filters=[shown])],
        # Weights
        [to(("a", number % 9 + 1), ("b", 5), filters=[shown])],
        [to(("a", 0), ("b", 1), filters=[shown])],
        # Filters
        [to("a", filters=[shown, sent])],
        [to("b", matches=[cart], filters=[rewritten, shown]), to("a", filters=[shown])],
        # Matches
        [to("a", matches=[query, other], filters=[shown]), to("b", filters=[shown])],
        [to("b", matches=[exact], filters=[shown]), to("a", filters=[shown, sent])],
        # Order: of two rules that match alike the first one counts.
        [to("a", matches=[cart], filters=[shown]), to("b", matches=[cart], filters=[shown]), to("a", filters=[shown])],
        [to("b", matches=[cart], filters=[shown]), to("a", matches=[cart], filters=[shown]), to("a", filters=[shown])],
    ]
    return forms[number % len(forms)]
