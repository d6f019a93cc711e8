"""Questions to the API server, without a process for each."""

from __future__ import annotations

import http.client
import json
import ssl
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple

from . import certificates, control_plane, network, processes, programs
from .layout import ClusterError, Layout


# The kind of a patch that says of some fields what they are to be.
MERGE = "application/merge-patch+json"


class Request(NamedTuple):
    """A kind of request, as the API server notes them."""

    # A server-side apply is a patch.
    verb: str
    namespace: str
    # With its subresource: `httproutes/status`.
    resource: str
    code: int


def audited(layout: Layout, since: int = 0) -> Counter[Request]:
    """How many requests of each kind Portway's controllers have sent. `since` is what `audited_so_far` told."""
    found: Counter[Request] = Counter()
    with control_plane.audit_log(layout).open("rb") as log:
        log.seek(since)
        for line in log:
            noted = json.loads(line)
            # A watch has an event when it begins, and another when it ends.
            if noted["stage"] == ("ResponseStarted" if noted["verb"] == "watch" else "ResponseComplete"):
                of = noted.get("objectRef", {})
                resource = "/".join(filter(None, [of.get("resource"), of.get("subresource")]))
                code = noted["responseStatus"]["code"]
                found[Request(noted["verb"], of.get("namespace", ""), resource, code)] += 1
    return found


def audited_so_far(layout: Layout) -> int:
    """The length of what the API server has noted."""
    return control_plane.audit_log(layout).stat().st_size


class Session:
    """A connection to the API server that is kept. Leaving it as a context closes it."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def request(
        self, method: str, path: str, body: object = None, kind: str = "application/json", user: str = ""
    ) -> tuple[int, bytes]:
        """Status and body of the answer, to the administrator or to `user`.

        Raises OSError where the API server breaks off.
        """
        headers = ({"Impersonate-User": user} if user else {}) | ({"Content-Type": kind} if body is not None else {})
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(f"the API server breaks off: {error}") from error

    def merge(self, path: str, patch: object) -> Any:
        """The object as it is after a merge patch. Raises ClusterError where that is refused."""
        status, answer = self.request("PATCH", path, patch, MERGE)
        if status != 200:
            raise ClusterError(f"{path} is not patched: {status} {answer.decode()}")
        return json.loads(answer)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()


class Api:
    """The API server, as its administrator."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._tls = ssl.create_default_context(cafile=certificates.certificate(layout, "ca"))
        self._tls.load_cert_chain(certificates.certificate(layout, "admin"), certificates.key(layout, "admin"))

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body. Raises OSError where nobody answers."""
        with self.session() as session:
            return session.request("GET", path)

    def session(self) -> Session:
        """A connection for many requests. Raises OSError where nobody answers."""
        host, port = str(self._layout.node_address(1)), 6443
        connection = http.client.HTTPConnection(host, port)
        raw = network.connect(self._layout.client_namespace, (host, port), timeout=5)
        connection.sock = self._tls.wrap_socket(raw, server_hostname=host)
        return Session(connection)

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
