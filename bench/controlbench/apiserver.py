"""Objects in the API server, hundreds in a second: over connections that are kept, without a process for each."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localcluster import certificates, network
from localcluster.layout import Layout

Object = dict[str, Any]

WRITERS = 8
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Service": "/api/v1/namespaces/{}/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "Gateway": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/gateways",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
}


class ApiServer:
    """The API server, as its administrator."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._own = threading.local()
        self._tls = ssl.create_default_context(cafile=certificates.certificate(layout, "ca"))
        self._tls.load_cert_chain(certificates.certificate(layout, "admin"), certificates.key(layout, "admin"))

    def create_all(self, objects: Iterable[Object]) -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(self.create, objects):
                pass

    def create(self, it: Object) -> None:
        path = PATHS[it["kind"]].format(it["metadata"].get("namespace"))
        self._request("POST", path, it, "application/json")

    def patch(self, kind: str, namespace: str, name: str, change: Object) -> None:
        path = f"{PATHS[kind].format(namespace)}/{name}"
        self._request("PATCH", path, change, "application/merge-patch+json")

    def get(self, kind: str, namespace: str, name: str) -> Object:
        return json.loads(self._request("GET", f"{PATHS[kind].format(namespace)}/{name}"))

    def status_writes(self) -> dict[str, int]:
        """Writes to the subresource `status` so far, by resource."""
        writes: dict[str, int] = {}
        for line in self._request("GET", "/metrics").decode().splitlines():
            if not line.startswith("apiserver_request_total{") or 'subresource="status"' not in line:
                continue
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            if labels["verb"] in ("APPLY", "PATCH", "PUT") and labels["group"] == "gateway.networking.k8s.io":
                count = int(float(line.rsplit(" ", 1)[1]))
                writes[labels["resource"]] = writes.get(labels["resource"], 0) + count
        return writes

    def _request(self, method: str, path: str, body: Object | None = None, kind: str = "") -> bytes:
        headers = {"Content-Type": kind} if kind else {}
        content = json.dumps(body) if body is not None else None
        is_kept = getattr(self._own, "connection", None) is not None
        try:
            response, content = self._exchange(method, path, content, headers)
        except http.client.RemoteDisconnected:
            # One that was idle may be closed by the other side at any moment.
            if not is_kept:
                raise
            response, content = self._exchange(method, path, content, headers)
        if response.status >= 300:
            raise OSError(f"{method} {path}: {response.status} {content.decode(errors='replace')[:500]}")
        return content

    def _exchange(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connection()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()
        except (OSError, http.client.HTTPException):
            self._own.connection = None
            raise

    def _connection(self) -> http.client.HTTPConnection:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            host, port = str(self._layout.node_address(1)), 6443
            raw = network.connect(self._layout.client_namespace, (host, port), timeout=60)
            connection = http.client.HTTPConnection(host, port)
            connection.sock = self._tls.wrap_socket(raw, server_hostname=host)
            self._own.connection = connection
        return connection
