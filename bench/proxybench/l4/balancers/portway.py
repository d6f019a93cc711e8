"""Portway in standalone mode: by the kernel path, and by its own proxy."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...process import Process
from ...provision import Provision, Unavailable, version_of
from ..host import HostFailure
from ..network import Node
from ..scenario import SERVICES
from .balancer import Balancer

Manifest = dict[str, Any]

API = "gateway.networking.k8s.io/v1"
NAMESPACE = "bench"
ADMIN = "127.0.0.1:19900"


class _Portway(Balancer):
    def prepare(self, provision: Provision) -> None:
        self._program = str(provision.portway)
        if not os.access(self._program, os.X_OK):
            raise Unavailable(f"there is no program at {self._program}; build it, or name another with --portway")
        self.version = version_of([self._program, "--version"]).rpartition(" ")[2]

    def _run(self, node: Node, directory: Path, options: list[str]) -> Process:
        manifests = directory / "manifests"
        manifests.mkdir()
        documents = [f"---\n{json.dumps(manifest)}\n" for manifest in objects(node.pod_address)]
        (manifests / "objects.yaml").write_text("".join(documents))
        argv = [self._program, "run", str(manifests), "--bind", node.address, "--admin", ADMIN, "--workers", "1"]
        return node.host.start([*argv, *options], directory / "stderr.log")


class PortwayKernel(_Portway):
    name = "portway-kernel"
    title = "Portway, kernel path"

    def start(self, node: Node, directory: Path) -> Process:
        return self._run(node, directory, ["--ebpf", "on", "--ebpf-routed-back", node.pod_network])

    def objection(self, node: Node) -> str | None:
        try:
            status = json.loads(node.host.run(["curl", "--silent", "--max-time", "5", f"http://{ADMIN}/status"]))
        except (HostFailure, ValueError) as error:
            return f"no status: {error}"
        return not_by_kernel(status)


class PortwayProxy(_Portway):
    name = "portway-proxy"
    title = "Portway, own proxy"
    in_user_space = True

    def start(self, node: Node, directory: Path) -> Process:
        return self._run(node, directory, ["--ebpf", "off"])


def not_by_kernel(status: dict[str, Any]) -> str | None:
    """Which listener the kernel does not serve, by Portway's own word."""
    paths = status.get("paths") or []
    if len(paths) < len(SERVICES):
        return f"it tells the path of {len(paths)} listeners out of {len(SERVICES)}"
    for each in paths:
        if each["path"] != "kernel":
            return f"a listener is served by the {each['path']}: {each['reason']}"
    return None


def objects(pod_address: str) -> list[Manifest]:
    """A Gateway with a listener for each service, with its route, Service and EndpointSlice."""
    listeners = [{"name": it.name, "port": it.port, "protocol": it.transport.name} for it in SERVICES]
    # Listeners of one port and two protocols would do as well; the services have each their own port.
    ports = [{"name": it.name, "port": it.port, "protocol": it.transport.name} for it in SERVICES]
    routes = [
        _object(
            API,
            f"{it.transport.name}Route",
            it.name,
            spec={
                "parentRefs": [{"name": "edge", "sectionName": it.name}],
                "rules": [{"backendRefs": [{"name": "pod", "port": it.port}]}],
            },
        )
        for it in SERVICES
    ]
    endpoints = _object(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "pod",
        addressType="IPv4",
        ports=ports,
        endpoints=[{"addresses": [pod_address]}],
    )
    endpoints["metadata"]["labels"] = {"kubernetes.io/service-name": "pod"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": API,
            "kind": "GatewayClass",
            "metadata": {"name": "portway"},
            "spec": {"controllerName": "portway.dev/gateway-controller"},
        },
        _object(API, "Gateway", "edge", spec={"gatewayClassName": "portway", "listeners": listeners}),
        *routes,
        _object("v1", "Service", "pod", spec={"ports": ports}),
        endpoints,
    ]


def _object(api_version: str, kind: str, name: str, **fields: Any) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **fields}
