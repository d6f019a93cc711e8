from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from localcluster.api import Api, Session
from localcluster.layout import ClusterError

from . import gateways
from .gateways import Object
from .policies import Flow, PoliciesTest, differences, prober_pod

SPACES, NAMES = "xyz", "abc"
# Pods of one namespace and pods of one name are on both nodes.
PLACES = {f"{space}/{name}": f"node{(i + j) % 2 + 1}" for i, space in enumerate(SPACES) for j, name in enumerate(NAMES)}
# Namespaces that a case makes for itself.
MADE = ("w", "y-2")
CASES = 230


class CyclonusTest(PoliciesTest):
    """The cases of cyclonus, a conformance suite for NetworkPolicy, with its own tables of what passes as the oracle.

    What a pod sends to itself is not asked: a policy never denies it, and cyclonus knows that as an option.
    """

    space = SPACES[0]
    objects = [
        *map(gateways.namespace, SPACES[1:]),
        *(prober_pod(*name.split("/"), node) for name, node in PLACES.items()),  # type: ignore[arg-type]
    ]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for it in [*SPACES[1:], *MADE]:
            cls.addClassCleanup(cls.kubectl, "delete", "namespace", it, "--ignore-not-found", "--wait=false")
        cls.probe_from(*PLACES)

    def setUp(self) -> None:
        self.session = self.enterContext(Api(self.layout).session())
        self.namespaces: dict[str, dict[str, str]] = {}
        self.labels = {name: {"pod": name.partition("/")[2]} for name in PLACES}
        self.policies: dict[str, Object] = {}

    def test_real_pods_are_let_through_as_cyclonus_says(self) -> None:
        cases = self.cases()
        self.assertEqual(len(cases), CASES)
        wrong: list[str] = []
        steps = judged = denied = 0
        began = time.monotonic()
        for number, case in enumerate(cases):
            for index, step in enumerate(case["steps"]):
                expected = flows(step)
                self.become(step)
                before = self.counted()
                found = self.ask_all(expected)
                if again := {flow: True for flow, passes in expected.items() if passes and not found[flow]}:
                    found |= self.ask_all(again)
                refused = sum(not it for it in expected.values())
                told = differences(expected, found)
                # Each flow that was denied is one that an agent has counted: it was not lost elsewhere, or late.
                if not again and (counted := self.counted() - before) != refused:
                    told.append(f"{refused} flows were to be denied, agents counted {counted:.0f}")
                wrong += [f"case {number} ({case['name']}), step {index}: {it}" for it in told]
                steps, judged, denied = steps + 1, judged + len(expected), denied + refused
        seconds = time.monotonic() - began
        print(f"    {len(cases)} cases, {steps} steps, {judged} flows, {denied} denied, {seconds:.0f} s", flush=True)
        self.assertFalse(wrong, "\n".join([f"{len(wrong)} are wrong:", *wrong[:40]]))
        self.assertEqual([self.status(node)["policy"]["problems"] for node in self.nodes()], [[], []])

    def cases(self) -> list[Object]:
        """As cyclonus makes them for pods of these addresses, since some have blocks around a pod's address."""
        program = Path(os.environ["PORTWAY_CYCLONUS_CASES"]).with_name("cyclonus")
        with tempfile.NamedTemporaryFile("w", suffix=".json") as addresses:
            json.dump({name: it.address for name, it in self.probers.items()}, addresses)
            addresses.flush()
            # Its log goes to this test's.
            done = subprocess.run([program, addresses.name], stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def become(self, step: Object) -> None:
        """Brings the cluster to a step, and waits until the agents of both nodes enforce it."""
        labels = {f"{it['namespace']}/{it['name']}": it["labels"] for it in step["pods"]}
        self.become_namespaces(step["namespaces"])
        self.become_pods(labels)
        self.become_policies({"{namespace}/{name}".format(**it["metadata"]): it for it in step["policies"]})
        self.await_agents(self.session, [*SPACES, *MADE], self.namespaces, self.labels, self.policies)

    def become_namespaces(self, wanted: dict[str, dict[str, str]]) -> None:
        for name in self.namespaces.keys() - wanted.keys():
            write(self.session, "DELETE", f"/api/v1/namespaces/{name}")
            self.labels = {it: labels for it, labels in self.labels.items() if not it.startswith(f"{name}/")}
        for name, labels in wanted.items():
            if name in MADE and name not in self.namespaces:
                made = gateways.namespace(name)
                made["metadata"]["labels"] = labels
                write(self.session, "POST", "/api/v1/namespaces", made)
            elif self.namespaces.get(name) != labels:
                gone = {it: None for it in self.namespaces.get(name, {}).keys() - labels.keys()}
                self.session.merge(f"/api/v1/namespaces/{name}", {"metadata": {"labels": gone | labels}})
        self.namespaces = dict(wanted)

    def become_pods(self, wanted: dict[str, dict[str, str]]) -> None:
        for pod in self.labels.keys() - wanted.keys():
            space, name = pod.split("/")
            write(self.session, "DELETE", f"/api/v1/namespaces/{space}/pods/{name}")
        for pod, labels in wanted.items():
            space, name = pod.split("/")
            if pod not in self.labels:
                made = prober_pod(space, name, "node2", labels)
                write(self.session, "POST", f"/api/v1/namespaces/{space}/pods", made)
                self.probe_from(pod)
            elif self.labels[pod] != labels:
                gone = {it: None for it in self.labels[pod].keys() - labels.keys()}
                self.session.merge(f"/api/v1/namespaces/{space}/pods/{name}", {"metadata": {"labels": gone | labels}})
        self.labels = dict(wanted)

    def become_policies(self, wanted: dict[str, Object]) -> None:
        for policy in self.policies.keys() - wanted.keys():
            write(self.session, "DELETE", path(policy))
        for policy, it in wanted.items():
            if self.policies.get(policy) == it:
                continue
            if policy in self.policies:
                write(self.session, "PUT", path(policy), it)
            else:
                write(self.session, "POST", path(policy).rpartition("/")[0], it)
        self.policies = dict(wanted)


def path(policy: str) -> str:
    space, name = policy.split("/")
    return f"/apis/networking.k8s.io/v1/namespaces/{space}/networkpolicies/{name}"


def write(session: Session, method: str, where: str, body: Object | None = None) -> None:
    status, answer = session.request(method, where, body)
    if status >= 300:
        raise ClusterError(f"{method} {where}: {status} {answer.decode()}")


def flows(step: Object) -> dict[Flow, bool]:
    found = {}
    for it in step["flows"]:
        if it["from"] != it["to"]:
            found[Flow(it["from"], it["to"], it["protocol"], it["port"])] = it["combined"]
    return found
