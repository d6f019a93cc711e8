"""Clusters whose agents enforce NetworkPolicies: pods that probe each other."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from localcluster import network
from localcluster.api import Session

from .agents import AgentsTest
from .cluster import SECONDS, processes_of_pod
from .gateways import HELLO, Object, metadata

PROBER = str(Path(__file__).with_name("prober.py"))
PORTS = (80, 81)
PROTOCOLS = ("TCP", "UDP", "SCTP")
# In seconds: how long a flow is waited for that should not be answered. Agents' counters tell as well that it was denied.
QUIET = 0.25
# How long one that should be may take, on a machine that does other things.
PATIENCE = 6.0


class Flow(NamedTuple):
    """Between pods, each `NAMESPACE/NAME`."""

    source: str
    destination: str
    protocol: str
    port: int

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination} {self.protocol} {self.port}"


@dataclass
class Prober:
    """The process in a pod's network namespace."""

    address: str
    node: str
    process: subprocess.Popen[str]

    def tell(self, question: object) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("a prober has ended; its errors are above")
        return json.loads(line)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def prober_pod(space: str, name: str, node: str, labels: dict[str, str] | None = None) -> Object:
    """Its ports have the names that cyclonus gives them. A kubelet asks it each second whether it is ready."""
    container: Object = {
        "name": "page",
        "image": HELLO,
        "imagePullPolicy": "Never",
        # Not on port 80, which the prober has.
        "command": ["/portway", "demo-backend", "--bind=0.0.0.0:8080"],
        "ports": [
            {"name": f"serve-{port}-{protocol.lower()}", "containerPort": port, "protocol": protocol}
            for port in PORTS
            for protocol in PROTOCOLS
        ],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1},
    }
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    labels = {"pod": name} if labels is None else labels
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata(space, name, labels=labels), "spec": spec}


def policy(space: str, name: str, spec: Object, **more: Any) -> Object:
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata(space, name, **more)}
    return made | {"spec": spec}


class PoliciesTest(AgentsTest):
    """With agents that enforce. Pods that probe are known by `NAMESPACE/NAME`."""

    probers: dict[str, Prober]
    # Addresses that are no pod's, by a name that flows have as their destination.
    others: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.probers, cls.others = {}, {}
        super().setUpClass()

    @classmethod
    def chart(cls) -> list[str]:
        layout = cls.layout
        networks = [f"agent.policy.serviceNetworks={{{layout.service_range}}}"]
        networks += [f"agent.policy.podNetworks={{{layout.pod_range}}}"]
        return ["agent.enabled=true", "agent.policy.enabled=true", *networks]

    @classmethod
    def without_agents(cls) -> None:
        """What is enforced is ended first: without agents, no new pod is told of, the controllers' own among them."""
        cls.install("agent.enabled=true")
        cls.rolled_out_agents()
        super().without_agents()

    @classmethod
    def nodes(cls) -> list[str]:
        return [cls.layout.node_name(it) for it in cls.layout.node_numbers]

    @classmethod
    def probe_from(cls, *names: str) -> None:
        """Starts a prober in each of these pods."""
        for it in names:
            space, name = it.split("/")
            cls.kubectl("wait", "--for=condition=Ready", "pod", name, f"--namespace={space}", f"--timeout={SECONDS}s")
        for it in names:
            space, name = it.split("/")
            pod = cls.object("pod", name, space)
            uid = pod["metadata"]["uid"]
            found = cls.eventually(lambda uid=uid: processes_of_pod(uid), f"a process of the pod {it}")
            command = ["nsenter", f"--net=/proc/{found[0]}/ns/net", "--", sys.executable, PROBER, *map(str, PORTS)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            prober = Prober(pod["status"]["podIP"], pod["spec"]["nodeName"], process)
            cls.addClassCleanup(prober.end)
            cls.probers[it] = prober
        for it in names:
            assert cls.probers[it].answer() is True

    @classmethod
    def ask_all(
        cls, expected: dict[Flow, bool], patience: float = PATIENCE, is_settled: bool = True
    ) -> dict[Flow, bool]:
        """Which flows were answered, all at once. `expected` tells which are worth waiting for.

        Once everything is settled none goes wrong in another way, as one to a Service that kube-proxy does not know.
        """
        by_source: dict[str, list[Flow]] = {}
        for flow in expected:
            by_source.setdefault(flow.source, []).append(flow)
        for source, flows in by_source.items():
            asked = [(cls.where(it.destination), it.protocol, it.port, expected[it]) for it in flows]
            cls.probers[source].tell({"flows": asked, "quiet": QUIET, "patience": patience})
        answers: dict[Flow, bool] = {}
        for source, flows in by_source.items():
            for flow, answer in zip(flows, cls.probers[source].answer(), strict=True):
                assert isinstance(answer, bool) or not is_settled, f"{flow}: {answer}"
                answers[flow] = answer is True
        return answers

    def asked(self, node: str, path: str) -> str:
        """What a node's agent answers, without a process for the question."""
        connection = http.client.HTTPConnection("127.0.0.1", 19902)
        namespace = self.layout.node_namespace(int(node.removeprefix("node")))
        connection.sock = network.connect(namespace, ("127.0.0.1", 19902), timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def counted(self, outcome: str = "denied", policy: str = "") -> float:
        """Flows that agents have counted on all nodes: those of a policy, as `NAMESPACE/NAME`, or of all."""
        wanted = [f'outcome="{outcome}"', *([f'policy="{policy}"'] if policy else [])]
        lines = (line for node in self.nodes() for line in self.asked(node, "/metrics").splitlines())
        lines = (line for line in lines if line.startswith("portway_policy_flows_total{"))
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(it in line for it in wanted))

    def await_agents(
        self,
        session: Session,
        spaces: list[str],
        namespaces: dict[str, dict[str, str]],
        pods: dict[str, dict[str, str]],
        policies: dict[str, Object],
    ) -> None:
        """Waits until the agent of each node enforces just this in these namespaces: labels of namespaces and pods, and policies.

        Policies are taken as the API server tells of them, which fills in what was left out.
        """
        specs = {name: self.spec(session, name) for name in policies}
        named = {name: own_labels(it) for name, it in namespaces.items()}
        wanted = {"namespaces": named, "pods": pods, "policies": specs}

        def enforced(node: str) -> Object:
            policy = json.loads(self.asked(node, "/config"))["policy"]
            told = {kind: {name_of(it): it for it in policy[kind]} for kind in wanted}
            ours = {kind: {name: it for name, it in of.items() if name.partition("/")[0] in spaces} for kind, of in told.items()}
            return {
                "namespaces": {name: own_labels(it["labels"]) for name, it in ours["namespaces"].items()},
                "pods": {name: own_labels(it["labels"]) for name, it in ours["pods"].items() if it["addresses"]},
                "policies": {name: canonical(it["spec"]) for name, it in ours["policies"].items()},
            }

        deadline = time.monotonic() + SECONDS
        for node in self.nodes():
            while (found := enforced(node)) != wanted:
                if time.monotonic() > deadline:
                    self.assertEqual(found, wanted, f"the agent of {node} enforces something else")
                time.sleep(0.02)

    @staticmethod
    def spec(session: Session, name: str) -> Any:
        space, _, name = name.partition("/")
        status, answer = session.request("GET", f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies/{name}")
        assert status == 200, answer
        return canonical(json.loads(answer)["spec"])

    @classmethod
    def where(cls, destination: str) -> str:
        return cls.others.get(destination) or cls.probers[destination].address

    def holds(self, expected: dict[Flow, bool]) -> None:
        """Exactly these flows pass."""
        self.assertEqual(differences(expected, self.ask_all(expected)), [])

    def comes_to_hold(self, expected: dict[Flow, bool]) -> None:
        """They do as soon as the agents know, and then on."""
        what = "agents to enforce what was written"
        self.eventually(lambda: self.ask_all(expected, patience=1, is_settled=False) == expected, what, 30)
        self.holds(expected)


def canonical(spec: Any) -> Any:
    """Without what is nothing, which one side writes down and the other leaves out."""
    if isinstance(spec, list):
        return [canonical(it) for it in spec]
    if not isinstance(spec, dict):
        return spec
    kept = {name: canonical(it) for name, it in spec.items()}
    return {name: it for name, it in kept.items() if it not in (None, []) and (name, it) != ("matchLabels", {})}


def own_labels(labels: dict[str, str]) -> dict[str, str]:
    """Without those that the API server gives by itself: a namespace's name, and a pod what its node has."""
    given = ("kubernetes.io/metadata.name", "topology.kubernetes.io/")
    return {name: value for name, value in labels.items() if not name.startswith(given)}


def name_of(told: Object) -> str:
    """Of an object as an agent tells of it."""
    name = told["name"]
    return name if isinstance(name, str) else f"{name['namespace']}/{name['name']}"


def differences(expected: dict[Flow, bool], found: dict[Flow, bool]) -> list[str]:
    wrong = (flow for flow, passes in expected.items() if found[flow] != passes)
    return [f"{flow} {'passed' if found[flow] else 'did not pass'}" for flow in wrong]


def between(pods: Iterable[str], protocols: Iterable[str] = PROTOCOLS, ports: Iterable[int] = PORTS) -> list[Flow]:
    """All flows between different pods: what a pod sends to itself is judged by nobody."""
    pods, protocols, ports = list(pods), list(protocols), list(ports)
    pairs = [(source, destination) for source in pods for destination in pods if source != destination]
    return [Flow(*pair, protocol, port) for pair in pairs for protocol in protocols for port in ports]
