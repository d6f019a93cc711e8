"""The objects: one Gateway, and routes over many namespaces, each with a hostname and a Service of its own."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

GATEWAY_API = "gateway.networking.k8s.io/v1"
HOME = "bench"
GATEWAY = "web"


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def home() -> list[Object]:
    """The Gateway, with one proxy, and two pods to send to."""
    labels = {"app": "page"}
    container = {"name": "web", "image": "nginxdemos/hello:plain-text", "imagePullPolicy": "Never"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return [
        namespace(HOME),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"namespace": HOME, "name": "page"},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "portway.dev/v1alpha1",
            "kind": "PortwayParameters",
            "metadata": {"namespace": HOME, "name": "one"},
            "spec": {"replicas": 1},
        },
        {
            "apiVersion": GATEWAY_API,
            "kind": "Gateway",
            "metadata": {"namespace": HOME, "name": GATEWAY},
            "spec": {
                "gatewayClassName": "portway",
                "infrastructure": {
                    "parametersRef": {"group": "portway.dev", "kind": "PortwayParameters", "name": "one"}
                },
                "listeners": [
                    {
                        "name": "http",
                        "protocol": "HTTP",
                        "port": 80,
                        "allowedRoutes": {"namespaces": {"from": "All"}},
                    }
                ],
            },
        },
    ]


class Team:
    """The place of one route: its namespace, its name, its hostname."""

    def __init__(self, number: int, namespaces: int) -> None:
        self.namespace = f"team-{number % namespaces}"
        self.name = f"app-{number}"
        self.host = f"{self.name}.example.com"

    def service(self) -> Object:
        """Without a virtual address, so that the cluster's own proxy has nothing to do with it."""
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"namespace": self.namespace, "name": self.name},
            "spec": {"clusterIP": "None", "ports": [{"port": 80}]},
        }

    def endpoints(self, address: str) -> Object:
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "namespace": self.namespace,
                "name": self.name,
                "labels": {
                    "kubernetes.io/service-name": self.name,
                    "endpointslice.kubernetes.io/managed-by": "bench",
                },
            },
            "addressType": "IPv4",
            "ports": [{"port": 8080}],
            **lead_to(address),
        }

    def route(self) -> Object:
        return {
            "apiVersion": GATEWAY_API,
            "kind": "HTTPRoute",
            "metadata": {"namespace": self.namespace, "name": self.name},
            "spec": {
                "parentRefs": [{"namespace": HOME, "name": GATEWAY}],
                "hostnames": [self.host],
                **self.rules("first"),
            },
        }

    def rules(self, mark: str) -> Object:
        """Two rules; responses of the second carry a mark, by which a change is seen."""
        backends = [{"name": self.name, "port": 80}]
        headers = {"set": [{"name": "x-mark", "value": mark}]}
        return {
            "rules": [
                {"matches": [{"path": {"type": "PathPrefix", "value": "/api"}}], "backendRefs": backends},
                {
                    "backendRefs": backends,
                    "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": headers}],
                },
            ]
        }


def lead_to(address: str) -> Object:
    return {"endpoints": [{"addresses": [address], "conditions": {"ready": True}}]}
