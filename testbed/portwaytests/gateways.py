"""Objects that tests make."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
GATEWAY_API = "gateway.networking.k8s.io/v1"
HELLO = "nginxdemos/hello:plain-text"


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def metadata(namespace: str, name: str, **more: Any) -> Object:
    return {"namespace": namespace, "name": name, **more}


def backend(space: str, name: str, replicas: int = 2) -> list[Object]:
    """A Deployment of pages that name their pod, and its Service.

    A pod that is to end serves on for a few seconds, as any should: those who send to it hear of its end when it does.
    """
    labels = {"app": name}
    container = {
        "name": "web",
        "image": HELLO,
        "imagePullPolicy": "Never",
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(space, name),
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(space, name),
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
        },
    ]


def gateway(space: str, name: str, listeners: list[Object] | None = None, of: str = "portway") -> Object:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": metadata(space, name),
        "spec": {"gatewayClassName": of, "listeners": listeners or [http()]},
    }


def http(port: int = 80) -> Object:
    return {"name": f"http-{port}", "protocol": "HTTP", "port": port}


def https(secret: str, port: int = 443) -> Object:
    tls = {"certificateRefs": [{"name": secret}]}
    return {"name": f"https-{port}", "protocol": "HTTPS", "port": port, "tls": tls}


def route(space: str, name: str, host: str, rules: list[Object], parent: str = "web") -> Object:
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": metadata(space, name),
        "spec": {"parentRefs": [{"name": parent}], "hostnames": [host], "rules": rules},
    }


def to(*backends: str | tuple[str, int], **more: Any) -> Object:
    """A rule that sends to backends, with or without weights."""
    references = []
    for it in backends:
        name, weight = (it, 1) if isinstance(it, str) else it
        references.append({"name": name, "port": 80, "weight": weight})
    return {"backendRefs": references, **more}
