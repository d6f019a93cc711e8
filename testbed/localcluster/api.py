"""Questions to the API server, without a process for each."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence
from typing import Any

from . import certificates, network, processes, programs
from .layout import ClusterError, Layout


class Api:
    """The API server, as its administrator."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._tls = ssl.create_default_context(cafile=certificates.certificate(layout, "ca"))
        self._tls.load_cert_chain(certificates.certificate(layout, "admin"), certificates.key(layout, "admin"))

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body. Raises OSError where nobody answers."""
        host, port = str(self._layout.node_address(1)), 6443
        connection = http.client.HTTPConnection(host, port)
        raw = network.connect(self._layout.client_namespace, (host, port), timeout=5)
        connection.sock = self._tls.wrap_socket(raw, server_hostname=host)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(f"the API server breaks off: {error}") from error
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def ready_nodes(self) -> set[str]:
        return {node["metadata"]["name"] for node in self._items("/api/v1/nodes") if _has(node, "Ready")}

    def is_available(self, namespace: str, deployment: str) -> bool:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
        status, body = self.get(path)
        return status == 200 and _has(json.loads(body), "Available")

    def _items(self, path: str) -> list[Any]:
        status, body = self.get(path)
        return json.loads(body)["items"] if status == 200 else []


def _has(thing: Any, condition: str) -> bool:
    conditions = thing.get("status", {}).get("conditions", [])
    return any(it["type"] == condition and it["status"] == "True" for it in conditions)


def kubectl(layout: Layout, *arguments: str, stdin: str | None = None) -> str:
    """What kubectl prints."""
    done = processes.run(kubectl_command(layout, arguments), stdin)
    if done.returncode != 0:
        raise ClusterError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
    return done.stdout


def kubectl_command(layout: Layout, arguments: Sequence[str]) -> list[str]:
    config = f"--kubeconfig={layout.kubeconfig}"
    return processes.in_namespace(layout.client_namespace, [str(programs.program("kubectl")), config, *arguments])
