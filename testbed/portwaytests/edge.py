"""A Gateway at an address that agents announce, with pods on both nodes behind it."""

from __future__ import annotations

from contextlib import suppress

from . import agents
from .agents import AgentsTest, pod, pool, routes, service
from .gateways import backend, route, to

# Two pods on each of two nodes.
PODS = {"left-1": "node1", "left-2": "node1", "right-1": "node2", "right-2": "node2"}
# For a node that takes an address over, and for a machine that has other things to do.
TAKE_OVER = 2.0
PAGE = "page.example.com"
# Answers with what the proxy tells of the client.
TOLD = "told.example.com"


class EdgeTest(AgentsTest):
    """From the outside client, which has the address on its own network: only the node that answers ARP gets anything.

    The cluster's networks are IPv4; the same over IPv6 is for `cargo test`, in network namespaces.
    """

    at: str

    @classmethod
    def setUpClass(cls) -> None:
        space = cls.space
        cls.objects = [
            *(pod(space, name, node) for name, node in PODS.items()),
            service(space, "left", {"on": "node1"}),
            service(space, "right", {"on": "node2"}),
            service(space, "one", {"pod": "left-1"}),
            *backend(space, "page"),
            route(space, "page", PAGE, [to("page")], parent="edge"),
            route(space, "told", TOLD, [{"backendRefs": [{"name": "left", "port": 7002}]}], parent="edge"),
        ]
        super().setUpClass()
        # In the network that client and nodes are in, and nobody's own.
        cls.at = str(cls.layout.node_network[200])
        cls.addClassCleanup(cls.kubectl, "delete", "addresspool", space, "--ignore-not-found")
        cls.apply(pool(space, cls.at), agents.gateway(space, "edge", space, cls.at))
        cls.serve(*PODS)

    def lead_to(self, *backends: tuple[str, int]) -> None:
        """Leads to Services with these weights, and waits until all agents know."""
        self.apply(*routes(self.space, *backends))
        wanted = {name for service, _ in backends for name in self.behind(service)}

        def is_led() -> bool:
            # Refused as long as there is no route.
            with suppress(AssertionError):
                told = self.ask(self.at, f"--times={8 * len(wanted)}")
                return {it.split()[0] for it in told["connections"]} == wanted
            return False

        self.eventually(is_led, f"{self.at} to lead to {sorted(wanted)}")

    @staticmethod
    def behind(service: str) -> list[str]:
        return ["left-1"] if service == "one" else [name for name in PODS if name.startswith(service)]

    def other(self, node: str) -> str:
        return next(it for it in PODS.values() if it != node)

    def move_to(self, node: str) -> None:
        """Drains the other node, as long as it takes for the address to be at this one."""
        others = [it for it in map(self.layout.node_name, self.layout.node_numbers) if it != node]
        self.kubectl("cordon", *others)
        self.addCleanup(self.kubectl, "uncordon", *others)
        self.eventually(lambda: set(self.holders(self.at).values()) == {node}, f"{node} to announce {self.at}", 10)
        self.kubectl("uncordon", *others)
