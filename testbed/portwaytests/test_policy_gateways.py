from __future__ import annotations

from . import agents, gateways
from .agents import pod, pool, routes, service
from .gateways import backend, namespace, route, to
from .policies import PoliciesTest, policy

SPACE, EDGE = "policed", "policed-edge"
PAGE = "page.example.com"
# Behind a TCPRoute and a UDPRoute, one on each node.
PODS = {"left": "node1", "right": "node2"}
POLICIES = "networkpolicy"


class PolicyGatewaysTest(PoliciesTest):
    """Policies of pods that are behind Gateways, whose proxies are in another namespace."""

    space = SPACE
    at: str
    objects = [
        namespace(EDGE),
        *backend(SPACE, "page"),
        *(pod(SPACE, name, node) for name, node in PODS.items()),
        *(service(SPACE, name, {"pod": name}) for name in PODS),
    ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(cls.kubectl, "delete", "namespace", EDGE, "--ignore-not-found", "--wait=false")
        cls.at = str(cls.layout.node_network[201])
        cls.addClassCleanup(cls.kubectl, "delete", "addresspool", SPACE, "--ignore-not-found")
        cls.apply(pool(SPACE, cls.at), agents.gateway(SPACE, "edge", SPACE, cls.at))
        listener = gateways.http() | {"allowedRoutes": {"namespaces": {"from": "All"}}}
        for name in ("a", "b"):
            it = route(SPACE, name, PAGE, [to("page")])
            it["spec"]["parentRefs"] = [{"name": name, "namespace": EDGE}]
            cls.apply(gateways.gateway(EDGE, name, [listener]), it)
        cls.serve(*PODS)

    def setUp(self) -> None:
        self.addCleanup(self.kubectl, "delete", POLICIES, "--all", f"--namespace={SPACE}")

    def test_a_policy_admits_one_gateway_and_denies_another(self) -> None:
        a, b = (self.address(name, EDGE) for name in "ab")
        for address in (a, b):
            self.serves(address, PAGE)
        peer = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": EDGE}},
            "podSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": "a"}},
        }
        self.apply(policy(SPACE, "from-a", {"podSelector": {"matchLabels": {"app": "page"}}, "ingress": [{"from": [peer]}]}))
        self.eventually(lambda: self.get(b, PAGE)[0] != 200, "Gateway b to be denied")
        for _ in range(3):
            self.assertNotEqual(self.get(b, PAGE)[0], 200)
            self.assertEqual(self.get(a, PAGE)[0], 200)
        self.assertGreater(self.counted(policy=f"{SPACE}/from-a"), 0)
        # The namespace of both.
        peer.pop("podSelector")
        self.apply(policy(SPACE, "from-a", {"podSelector": {"matchLabels": {"app": "page"}}, "ingress": [{"from": [peer]}]}))
        self.serves(b, PAGE)
        self.serves(a, PAGE)

    def test_a_block_is_held_against_the_client_that_a_route_brings_to_a_pod(self) -> None:
        client = str(self.layout.client_address)
        for name, node in PODS.items():
            with self.subTest(f"a pod of {node}"):
                self.kubectl("delete", POLICIES, "--all", f"--namespace={SPACE}")
                self.apply(*routes(SPACE, (name, 1)))
                self.answers(name)
                blocks = {"cidr": "0.0.0.0/0", "except": [f"{client}/32"]}, {"cidr": f"{client}/32"}
                others, itself = ({"podSelector": {}, "ingress": [{"from": [{"ipBlock": it}]}]} for it in blocks)
                self.apply(policy(SPACE, "clients", others))
                self.eventually(lambda: not self.is_answered(), "the client to be denied")
                self.assertFalse(self.is_answered())
                self.assertGreater(self.counted(policy=f"{SPACE}/clients"), 0)
                self.apply(policy(SPACE, "clients", itself))
                self.answers(name)

    def test_a_policy_admits_the_gateway_that_a_tcp_route_is_of(self) -> None:
        for name, node in PODS.items():
            with self.subTest(f"a pod of {node}"):
                self.kubectl("delete", POLICIES, "--all", f"--namespace={SPACE}")
                self.apply(*routes(SPACE, (name, 1)))
                self.answers(name)
                other, itself = (
                    {"podSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": it}}} for it in ("other", "edge")
                )
                self.apply(policy(SPACE, "gateways", {"podSelector": {}, "ingress": [{"from": [other]}]}))
                self.eventually(lambda: not self.is_answered(), "another Gateway than the one admitted to be denied")
                self.assertFalse(self.is_answered())
                self.apply(policy(SPACE, "gateways", {"podSelector": {}, "ingress": [{"from": [itself]}]}))
                self.answers(name)

    def answers(self, name: str) -> None:
        """The pod of this name alone, and it sees the client."""
        expected = {f"{name} {self.layout.client_address}"}

        def is_told() -> bool:
            return self.is_answered() and set(self.ask(self.at, "--times=6")["connections"]) == expected

        self.eventually(is_told, f"{self.at} to lead to {name} with the client's address", 30)

    def is_answered(self) -> bool:
        """Whether a TCP connection is established within half a second."""
        told = self.outside("timeout", "0.5", "bash", "-c", f"exec 3<>/dev/tcp/{self.at}/7000 && read -r -u 3 line && echo $line")
        return bool(told.strip())
