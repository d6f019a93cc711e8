from __future__ import annotations

import time
from collections.abc import Callable

from .agents import AGENTS
from .cluster import CONTROLLER, SYSTEM
from .gateways import Object, metadata, namespace
from .policies import Flow, PoliciesTest, between, policy, prober_pod

SPACE, OTHER = "guarded", "guarded-other"
# Two pods on each of two nodes, and one of another namespace on the first.
PODS = {"guarded/a": "node1", "guarded/b": "node1", "guarded/c": "node2", "guarded/d": "node2", "guarded-other/a": "node1"}
GUARDED = [it for it in PODS if it.startswith("guarded/")]
DENY_ALL: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def ingress(pod: str, *peers: Object, **more: object) -> Object:
    """Of the pod of that name, from these peers."""
    return {"podSelector": {"matchLabels": {"pod": pod}}, "policyTypes": ["Ingress"], "ingress": [{"from": list(peers), **more}]}


class PolicyTest(PoliciesTest):
    """Between pods on one node and on two, by TCP, UDP and SCTP."""

    space = SPACE
    objects = [
        namespace(OTHER),
        *(prober_pod(*name.split("/"), node) for name, node in PODS.items()),  # type: ignore[arg-type]
    ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(cls.kubectl, "delete", "namespace", OTHER, "--ignore-not-found", "--wait=false")
        cls.probe_from(*PODS)

    def setUp(self) -> None:
        self.addCleanup(self.kubectl, "delete", "networkpolicy", "--all", f"--namespace={SPACE}")

    @staticmethod
    def table(passes: Callable[[Flow], bool]) -> dict[Flow, bool]:
        return {flow: passes(flow) for flow in between(PODS)}

    def test_all_is_denied_but_to_the_kubelet_until_the_policy_is_taken_away(self) -> None:
        everything = self.table(lambda _: True)
        self.comes_to_hold(everything)
        before = [it["status"]["conditions"] for it in self.objects_of("pod")]
        self.apply(policy(SPACE, "deny", DENY_ALL))
        self.comes_to_hold(self.table(lambda it: not {it.source, it.destination} & set(GUARDED)))
        # A probe of each second that failed would make a pod unready at once.
        time.sleep(4)
        self.assertEqual([it["status"]["conditions"] for it in self.objects_of("pod")], before)
        for it in GUARDED:
            self.assertEqual(self.get(f"{self.probers[it].address}:8080", "", connect=0.5)[0], 0, f"{it} from outside")
        self.kubectl("delete", "networkpolicy", "deny", f"--namespace={SPACE}")
        self.comes_to_hold(everything)
        self.assertEqual(self.get(f"{self.probers[GUARDED[0]].address}:8080", "")[0], 200)

    def test_peers_are_admitted_by_their_labels(self) -> None:
        self.apply(policy(SPACE, "to-a", ingress("a", {"podSelector": {"matchLabels": {"pod": "c"}}})))
        self.comes_to_hold(self.table(lambda it: it.destination != "guarded/a" or it.source == "guarded/c"))

    def test_peers_are_admitted_by_their_namespace(self) -> None:
        peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": OTHER}}}
        self.apply(policy(SPACE, "to-d", ingress("d", peer)))
        self.comes_to_hold(self.table(lambda it: it.destination != "guarded/d" or it.source.startswith(f"{OTHER}/")))

    def test_peers_are_admitted_by_their_address(self) -> None:
        of_node, of_one = self.layout.node_pod_range(1), f"{self.probers['guarded/b'].address}/32"
        self.apply(policy(SPACE, "to-c", ingress("c", {"ipBlock": {"cidr": str(of_node), "except": [of_one]}})))
        self.comes_to_hold(
            self.table(lambda it: it.destination != "guarded/c" or PODS[it.source] == "node1" and it.source != "guarded/b")
        )

    def test_a_denied_flow_is_counted_and_told_of(self) -> None:
        self.apply(policy(SPACE, "to-a", ingress("a", {"podSelector": {"matchLabels": {"pod": "b"}}})))
        flow = Flow("guarded/c", "guarded/a", "TCP", 81)
        self.comes_to_hold({flow: False})
        before = self.counted(policy="guarded/to-a")
        self.holds({flow: False, flow._replace(source="guarded/b"): True})
        self.assertEqual(self.counted(policy="guarded/to-a") - before, 1)
        ends = f"{self.probers[flow.source].address}:", f" -> {self.probers[flow.destination].address}:81"
        line = "denied by NetworkPolicy guarded/to-a, ingress of the pod guarded/a: TCP " + ends[0]
        self.eventually(lambda: any(line in it and ends[1] in it for it in self.lines_of(PODS[flow.destination])), line)

    def test_a_rehearsal_counts_what_is_denied_once_it_is_enforced(self) -> None:
        spec = ingress("a", {"podSelector": {"matchLabels": {"pod": "c"}}})
        everything = self.table(lambda _: True)
        enforced = self.table(lambda it: it.destination != "guarded/a" or it.source == "guarded/c")
        self.apply(policy(SPACE, "to-a", spec, annotations={"portway.dev/rehearse": "true"}))
        self.eventually(lambda: self.ask_all(everything) and self.counted("rehearsed", "guarded/to-a"), "a rehearsal")
        before = self.counted("rehearsed", "guarded/to-a")
        self.holds(everything)
        rehearsed = self.counted("rehearsed", "guarded/to-a") - before
        self.apply(policy(SPACE, "to-a", spec, annotations={"portway.dev/rehearse": "false"}))
        self.comes_to_hold(enforced)
        before = self.counted("denied", "guarded/to-a")
        self.holds(enforced)
        self.assertEqual(self.counted("denied", "guarded/to-a") - before, rehearsed)
        self.assertEqual(rehearsed, sum(not it for it in enforced.values()))

    def test_controllers_that_all_begin_anew_are_not_cut_off_and_policies_follow(self) -> None:
        self.kubectl("delete", "pod", CONTROLLER, f"--namespace={SYSTEM}", "--grace-period=0", "--force")
        self.rolled_out("portway-controller", SYSTEM)
        self.apply(policy(SPACE, "to-a", ingress("a", {"podSelector": {"matchLabels": {"pod": "d"}}})))
        self.comes_to_hold(self.table(lambda it: it.destination != "guarded/a" or it.source == "guarded/d"))

    def test_what_goes_by_a_service_is_judged_by_the_pods_at_both_ends(self) -> None:
        services = {f"service {it}": it for it in ("a", "c")}
        for it in services.values():
            ports = [{"name": protocol.lower(), "port": 80, "protocol": protocol} for protocol in ("TCP", "UDP")]
            spec = {"selector": {"pod": it}, "ports": ports}
            self.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata(SPACE, it), "spec": spec})
            self.others[f"service {it}"] = self.object("service", it)["spec"]["clusterIP"]
        sources = [it for it in GUARDED if it not in ("guarded/a", "guarded/c")]
        flows = [Flow(source, service, protocol, 80) for source in sources for service in services for protocol in ("TCP", "UDP")]
        self.comes_to_hold(dict.fromkeys(flows, True))
        # At the end that gets it: b is on the node of a, and d on that of c.
        peers = [{"podSelector": {"matchLabels": {"pod": "b"}}}]
        self.apply(policy(SPACE, "to-a", ingress("a", *peers)), policy(SPACE, "to-c", ingress("c", *peers)))
        self.comes_to_hold({it: it.source == "guarded/b" for it in flows})
        self.kubectl("delete", "networkpolicy", "--all", f"--namespace={SPACE}")
        # At the end that sends it.
        rule = {"to": [{"podSelector": {"matchLabels": {"pod": "c"}}}]}
        self.apply(policy(SPACE, "from-all", {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}))
        self.comes_to_hold({it: it.destination == "service c" for it in flows})

    def test_killed_agents_let_through_what_they_did_and_no_more(self) -> None:
        table = self.table(lambda it: it.destination != "guarded/a" or it.source == "guarded/c")
        self.apply(policy(SPACE, "to-a", ingress("a", {"podSelector": {"matchLabels": {"pod": "c"}}})))
        self.comes_to_hold(table)
        for node in self.nodes():
            self.kill(node)
        for _ in range(10):
            self.holds(table)
        for node in self.nodes():
            self.agent(node)
        self.holds(table)

    def lines_of(self, node: str) -> list[str]:
        """What the agent of a node has logged."""
        pods = self.objects_of("pod", AGENTS, f"--field-selector=spec.nodeName={node}", namespace=SYSTEM)
        logs = (self.kubectl("logs", it["metadata"]["name"], f"--namespace={SYSTEM}") for it in pods)
        return [line for log in logs for line in log.splitlines()]

    def test_ports_are_admitted_by_number_and_name(self) -> None:
        ports = [{"port": 80}, {"port": "serve-81-udp", "protocol": "UDP"}, {"port": 80, "endPort": 90, "protocol": "SCTP"}]
        self.apply(policy(SPACE, "to-b", {**ingress("b"), "ingress": [{"ports": ports}]}))
        opened = {("TCP", 80), ("UDP", 81), ("SCTP", 80), ("SCTP", 81)}
        self.comes_to_hold(self.table(lambda it: it.destination != "guarded/b" or (it.protocol, it.port) in opened))
