"""Clusters with node agents: what tests of them have in common."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcluster import portway, processes
from localcluster.processes import in_namespace

from .cluster import SECONDS, SYSTEM, PortwayTest, processes_of_pod, settings
from .gateways import GATEWAY_API, HELLO, Object, metadata

AGENTS = "--selector=app.kubernetes.io/component=agent"
PEER = str(Path(__file__).with_name("peer.py"))
ADMIN = "http://127.0.0.1:19902"


def pod(space: str, name: str, node: str) -> Object:
    """One on a certain node; tests run servers in its network namespace."""
    container = {"name": "page", "image": HELLO, "imagePullPolicy": "Never", "lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 6}
    labels = {"app": "echo", "pod": name, "on": node}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata(space, name, labels=labels), "spec": spec}


def service(space: str, name: str, selector: dict[str, str]) -> Object:
    ports = [{"name": it.lower(), "port": port, "protocol": it} for it, port in (("TCP", 7000), ("UDP", 7001))]
    ports.append({"name": "http", "port": 7002, "protocol": "TCP"})
    spec = {"selector": selector, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(space, name), "spec": spec}


def pool(name: str, address: str) -> Object:
    """An address for Gateways that ask for it alone, so that no other test is given it."""
    spec = {"addresses": [address], "gatewaySelector": {"matchLabels": {"pool": name}}}
    return {"apiVersion": "portway.dev/v1alpha1", "kind": "AddressPool", "metadata": {"name": name}, "spec": spec}


def gateway(space: str, name: str, of: str, address: str) -> Object:
    """With an address of a pool."""
    listeners = [("tcp", "TCP", 7000), ("udp", "UDP", 7001), ("http", "HTTP", 80)]
    spec = {
        "gatewayClassName": "portway",
        "addresses": [{"type": "IPAddress", "value": address}],
        "listeners": [{"name": name, "protocol": protocol, "port": port} for name, protocol, port in listeners],
    }
    labels = {"pool": of}
    return {"apiVersion": GATEWAY_API, "kind": "Gateway", "metadata": metadata(space, name, labels=labels), "spec": spec}


def routes(space: str, *backends: tuple[str, int]) -> list[Object]:
    """A TCPRoute and a UDPRoute to Services with weights."""
    made = []
    for kind, section, port in (("TCPRoute", "tcp", 7000), ("UDPRoute", "udp", 7001)):
        references = [{"name": name, "port": port, "weight": weight} for name, weight in backends]
        spec = {"parentRefs": [{"name": "edge", "sectionName": section}], "rules": [{"backendRefs": references}]}
        made.append({"apiVersion": GATEWAY_API, "kind": kind, "metadata": metadata(space, "echo"), "spec": spec})
    return made


class AgentsTest(PortwayTest):
    """With an agent on each node while the tests of a class run."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.addClassCleanup(cls.without_agents)
        cls.install(*cls.chart(), "agent.logLevel=debug")
        cls.rolled_out_agents()

    @classmethod
    def chart(cls) -> list[str]:
        """Values for the chart."""
        return ["agent.enabled=true"]

    @classmethod
    def rolled_out_agents(cls) -> None:
        cls.kubectl("rollout", "status", "daemonset/portway-agent", f"--namespace={SYSTEM}", f"--timeout={SECONDS}s")

    @classmethod
    def install(cls, *values: str) -> None:
        assert settings.build
        portway.upgrade(cls.layout, settings.build, [*settings.values, *values])

    @classmethod
    def without_agents(cls) -> None:
        """Takes agents away, and what they have left in the kernel."""
        assert settings.build
        cls.install("agent.enabled=false")
        cls.kubectl("wait", "--for=delete", "pod", AGENTS, f"--namespace={SYSTEM}", f"--timeout={SECONDS}s")
        for node in cls.layout.node_numbers:
            cls.forget(cls.layout.node_name(node))

    @classmethod
    def forget(cls, node: str) -> None:
        """Takes away what the agent of a node has left in the kernel."""
        assert settings.build
        pins = cls.layout.bpffs / "portway" / node
        processes.run([str(settings.build.binary), "agent", "remove", f"--pins={pins}"])

    @classmethod
    def serve(cls, *pods: str) -> None:
        """Runs a server in the network namespace of each pod."""
        cls.kubectl("wait", "--for=condition=Ready", "pod", *pods, f"--namespace={cls.space}", f"--timeout={SECONDS}s")
        for name in pods:
            within = cls.within(name)
            server = subprocess.Popen([*within, sys.executable, PEER, "serve", name])
            cls.addClassCleanup(server.wait)
            cls.addClassCleanup(server.kill)

    @classmethod
    def within(cls, name: str) -> list[str]:
        """What a command in the network namespace of a pod begins with."""
        uid = cls.object("pod", name)["metadata"]["uid"]
        found = cls.eventually(lambda: processes_of_pod(uid), f"a process of the pod {name}")
        return ["nsenter", f"--net=/proc/{found[0]}/ns/net", "--"]

    def ask(self, address: str, *arguments: str, within: list[str] | None = None) -> dict[str, dict[str, int]]:
        """Who answered whom, how often: new connections, and datagrams."""
        command = [sys.executable, PEER, "ask", address, *arguments]
        done = processes.run([*within, *command] if within else in_namespace(self.layout.client_namespace, command))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    @contextmanager
    def peers(self, address: str, *arguments: str) -> Iterator[dict[str, Any]]:
        """Connections are kept and begun, and datagrams sent, while the block runs; what they have seen is there after it."""
        command = [sys.executable, PEER, "load", address, *arguments]
        with self.beside(command, "{all}", rest=1) as told:
            yield told

    def on_node(self, node: str, *command: str) -> str:
        number = int(node.removeprefix("node"))
        return processes.run(in_namespace(self.layout.node_namespace(number), list(command))).stdout

    def status(self, node: str) -> dict[str, Any]:
        """What the agent of a node tells; nothing while it does not answer."""
        told = self.on_node(node, "curl", "--silent", "--max-time", "2", f"{ADMIN}/status")
        return json.loads(told) if told.startswith("{") else {}

    def metric(self, node: str, name: str) -> float:
        """The sum over all labels."""
        told = self.on_node(node, "curl", "--silent", "--max-time", "2", f"{ADMIN}/metrics")
        lines = (line.rpartition(" ") for line in told.splitlines() if line.startswith(name))
        return sum(float(value) for _, _, value in lines)

    def holders(self, address: str) -> dict[str, str | None]:
        """Which node announces an address, by what the agent of each node knows."""
        found: dict[str, str | None] = {}
        for node in map(self.layout.node_name, self.layout.node_numbers):
            for it in self.status(node).get("announced", []):
                if it["address"] == address:
                    found[node] = it.get("node")
        return found

    def holder(self, address: str) -> str:
        """The node that announces an address, once all agents say the same."""

        def agreed() -> str | None:
            told = self.holders(address)
            is_agreed = len(told) == self.layout.nodes and len(set(told.values())) == 1
            return next(iter(told.values())) if is_agreed else None

        return self.eventually(agreed, f"one node that announces {address}")

    def agent(self, node: str) -> int:
        """The process id of a node's agent, as soon as it runs and has taken up its configuration."""

        def running() -> int | None:
            if not self.status(node).get("revision"):
                return None
            pods = self.objects_of("pod", AGENTS, f"--field-selector=spec.nodeName={node}", namespace=SYSTEM)
            found = [pid for pod in pods for pid in processes_of_pod(pod["metadata"]["uid"])]
            return found[0] if found else None

        return self.eventually(running, f"the agent of {node}")

    def kill(self, node: str) -> None:
        os.kill(self.agent(node), signal.SIGKILL)
