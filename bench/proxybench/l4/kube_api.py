"""As much of a Kubernetes API server as kube-proxy asks for, with kube-proxy as its child.

    kube_api.py PORT OBJECTS COMMAND...

It listens on PORT of 127.0.0.1, in clear text, and then runs COMMAND. OBJECTS is a file of JSON: by the path of each
collection, such as `/api/v1/services`, its items. They never change, so a watch tells them and then nothing more.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

Object = dict[str, Any]

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""The annotation that ends the list which a watch begins with."""


def answer(collections: dict[str, list[Object]], path: str) -> Object | None:
    """A collection as a list, or one object of it by its name; None where there is no such thing."""
    if path in collections:
        return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": collections[path]}
    collection, _, name = path.rpartition("/")
    return next((it for it in collections.get(collection, []) if it["metadata"]["name"] == name), None)


def events(items: list[Object], with_list: bool) -> list[Object]:
    """What a watch tells: nothing, or the list and its end."""
    if not with_list or not items:
        return []
    about = {"resourceVersion": "1", "annotations": {INITIAL_EVENTS_END: "true"}}
    end = {"apiVersion": items[0]["apiVersion"], "kind": items[0]["kind"], "metadata": about}
    return [{"type": "ADDED", "object": it} for it in items] + [{"type": "BOOKMARK", "object": end}]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    collections: dict[str, list[Object]]

    def do_GET(self) -> None:
        url = urlparse(self.path)
        asked = parse_qs(url.query)
        if asked.get("watch", ["false"])[0] in ("true", "1") and url.path in self.collections:
            self._watch(events(self.collections[url.path], "sendInitialEvents" in asked))
            return
        found = answer(self.collections, url.path)
        if found is None:
            found = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
        self._send(found.get("code", 200), found)

    def do_POST(self) -> None:
        """Events, which nobody reads."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._send(201, json.loads(body) if body.startswith(b"{") else {})

    do_PATCH = do_PUT = do_POST

    def _send(self, status: int, found: Object) -> None:
        body = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _watch(self, told: list[Object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in told:
            self.wfile.write(json.dumps(event).encode() + b"\n")
        self.wfile.flush()
        threading.Event().wait()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are of no interest."""


def main(port: str, objects: str, *command: str) -> int:
    Handler.collections = json.loads(Path(objects).read_text())
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return subprocess.run(["setpriv", "--pdeathsig", "TERM", *command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
