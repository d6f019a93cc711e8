"""Portway, in standalone mode: `portway run` on a directory of manifests, all default features on."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from ..provision import Provision, Unavailable, version_of
from ..scenario import DOMAIN
from .peer import Launch, Peer, Setup

Manifest = dict[str, Any]

NAMESPACE = "bench"
LISTENER_PORT = {"HTTP": 80, "HTTPS": 443}


class Portway(Peer):
    name = "portway"
    title = "Portway"

    def prepare(self, provision: Provision) -> None:
        self._program = str(provision.portway)
        if not os.access(self._program, os.X_OK):
            raise Unavailable(f"there is no program at {self._program}; build it, or name another with --portway")
        self.version = version_of([self._program, "--version"]).rpartition(" ")[2]

    def launch(self, setup: Setup) -> Launch:
        protocol = "HTTPS" if setup.scenario.protocol.is_tls else "HTTP"
        setup.write("manifests/gateway.yaml", _documents(_gateway(setup, protocol)))
        setup.write("manifests/routes.yaml", _documents(_routes(setup)))
        options = {
            "--bind": "127.0.0.1",
            "--port-offset": str(setup.port - LISTENER_PORT[protocol]),
            "--admin": f"127.0.0.1:{setup.admin_port}",
            "--workers": "1",
            "--endpoint": f"{NAMESPACE}/app:80=127.0.0.1:{setup.backend_port}",
        }
        flat = [word for option in options.items() for word in option]
        return Launch([self._program, "run", str(setup.directory / "manifests"), *flat])


def _documents(manifests: list[Manifest]) -> str:
    """YAML documents, each in YAML's flow style, which is JSON."""
    return "".join(f"---\n{json.dumps(manifest)}\n" for manifest in manifests)


def _object(api_version: str, kind: str, name: str, **fields: Any) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **fields}


def _gateway(setup: Setup, protocol: str) -> list[Manifest]:
    """The Gateway with its class, certificate and namespace, and the Service that all routes lead to."""
    port = LISTENER_PORT[protocol]
    listener: Manifest = {"name": "edge", "protocol": protocol, "port": port, "hostname": f"*.{DOMAIN}"}
    if protocol == "HTTPS":
        listener["tls"] = {"certificateRefs": [{"name": "tls"}]}
    pem = {"tls.crt": setup.certificate.certificate, "tls.key": setup.certificate.key}
    data = {name: base64.b64encode(path.read_bytes()).decode() for name, path in pem.items()}
    api = "gateway.networking.k8s.io/v1"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _object("v1", "Secret", "tls", type="kubernetes.io/tls", data=data),
        _object("v1", "Service", "app", spec={"ports": [{"port": 80}]}),
        {
            "apiVersion": api,
            "kind": "GatewayClass",
            "metadata": {"name": "portway"},
            "spec": {"controllerName": "portway.dev/gateway-controller"},
        },
        _object(api, "Gateway", "edge", spec={"gatewayClassName": "portway", "listeners": [listener]}),
    ]


def _routes(setup: Setup) -> list[Manifest]:
    """One HTTPRoute for each pair of host name and path prefix."""
    table = setup.scenario.routes
    return [
        _object(
            "gateway.networking.k8s.io/v1",
            "HTTPRoute",
            f"{host.partition('.')[0]}-{prefix[1:]}",
            spec={
                "parentRefs": [{"name": "edge"}],
                "hostnames": [host],
                "rules": [
                    {
                        "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
                        "backendRefs": [{"name": "app", "port": 80}],
                    }
                ],
            },
        )
        for host in table.host_names()
        for prefix in table.prefixes()
    ]
