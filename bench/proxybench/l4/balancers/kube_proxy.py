"""kube-proxy in its nftables mode: the real program, of the testbed, told of its Services by `kube_api`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .. import kube_api
from ...process import Process
from ...provision import Provision, Unavailable, version_of
from ..network import Node
from ..scenario import SERVICES
from .balancer import Balancer

Manifest = dict[str, Any]

API_PORT = 18080
NODE_NAME = "node"


class KubeProxy(Balancer):
    name = "kube-proxy"
    title = "kube-proxy, nftables"

    def prepare(self, provision: Provision) -> None:
        provision.debian("nft", "nftables")
        self._program = str(Path(os.environ.get("PORTWAY_TESTBED", "")) / "bin/kube")
        if not os.access(self._program, os.X_OK):
            raise Unavailable("there is no kube-proxy; `. tools/env.sh; testbed/build` makes one")
        self.version = version_of([self._program, "kube-proxy", "--version"]).rpartition(" ")[2]

    def start(self, node: Node, directory: Path) -> Process:
        files = {
            "objects.json": collections(node),
            "kubeconfig": _kubeconfig(),
            "config.json": _config(directory / "kubeconfig", node),
        }
        for name, content in files.items():
            (directory / name).write_text(json.dumps(content))
        kube_proxy = [self._program, "kube-proxy", f"--config={directory / 'config.json'}"]
        api = [sys.executable, kube_api.__file__, str(API_PORT), str(directory / "objects.json")]
        return node.host.start([*api, *kube_proxy], directory / "stderr.log")


def collections(node: Node) -> dict[str, list[Manifest]]:
    """What kube-proxy asks for: a Service of type LoadBalancer with the node's address, and its one endpoint."""
    ports = [{"name": it.name, "port": it.port, "protocol": it.transport.name} for it in SERVICES]
    service = _object("v1", "Service", "edge", spec=_service_spec(ports))
    service["status"] = {"loadBalancer": {"ingress": [{"ip": node.address, "ipMode": "VIP"}]}}
    endpoint = {"addresses": [node.pod_address], "conditions": {"ready": True, "serving": True}}
    endpoints = _object("discovery.k8s.io/v1", "EndpointSlice", "edge", addressType="IPv4", ports=ports)
    endpoints |= {"endpoints": [endpoint]}
    endpoints["metadata"]["labels"] = {"kubernetes.io/service-name": "edge"}
    this_node = _object("v1", "Node", NODE_NAME, spec={})
    this_node["status"] = {"addresses": [{"type": "InternalIP", "address": node.address}]}
    cidr = _object("networking.k8s.io/v1", "ServiceCIDR", "kubernetes", spec={"cidrs": ["198.19.0.0/16"]})
    return {
        "/api/v1/services": [service],
        "/apis/discovery.k8s.io/v1/endpointslices": [endpoints],
        "/api/v1/nodes": [this_node],
        "/apis/networking.k8s.io/v1/servicecidrs": [cidr],
    }


def _service_spec(ports: list[Manifest]) -> Manifest:
    return {
        "type": "LoadBalancer",
        "clusterIP": "198.19.0.1",
        "clusterIPs": ["198.19.0.1"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "externalTrafficPolicy": "Cluster",
        "internalTrafficPolicy": "Cluster",
        "allocateLoadBalancerNodePorts": False,
        "ports": ports,
    }


def _object(api_version: str, kind: str, name: str, **fields: Any) -> Manifest:
    metadata = {"name": name, "namespace": "bench", "uid": f"{kind}-{name}", "resourceVersion": "1"}
    if kind in ("Node", "ServiceCIDR"):
        del metadata["namespace"]
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def _kubeconfig() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bench", "cluster": {"server": f"http://127.0.0.1:{API_PORT}"}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": ""}}],
        "current-context": "bench",
    }


def _config(kubeconfig: Path, node: Node) -> Manifest:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": node.pod_network,
        "hostnameOverride": NODE_NAME,
        # Settings of the whole machine, which a namespace can only read.
        "conntrack": {"maxPerCore": 0, "min": 0},
        # The API is asked for JSON.
        "clientConnection": {
            "kubeconfig": str(kubeconfig),
            "contentType": "application/json",
            "acceptContentTypes": "application/json",
        },
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }
