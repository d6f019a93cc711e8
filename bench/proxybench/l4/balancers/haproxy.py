"""HAProxy, from Debian, in TCP mode."""

from __future__ import annotations

from pathlib import Path

from ...process import Process
from ...provision import Provision, version_of
from ..network import Node
from ..scenario import SERVICES, Transport
from .balancer import Balancer

HEAD = """\
global
    nbthread 1
    maxconn 8192
    log stdout format raw daemon info
defaults
    mode tcp
    log global
    option tcplog
    timeout connect 5s
    timeout client 60s
    timeout server 60s
"""
LISTENER = """\
listen {name}
    bind {address}:{port}
    server pod {pod}:{port}
"""


class HAProxy(Balancer):
    name = "haproxy"
    title = "HAProxy"
    transports = (Transport.TCP,)
    in_user_space = True

    def prepare(self, provision: Provision) -> None:
        self._program = str(provision.debian("haproxy", "haproxy"))
        self.version = version_of([self._program, "-v"]).split()[2]

    def start(self, node: Node, directory: Path) -> Process:
        listeners = [
            LISTENER.format(name=it.name, address=node.address, port=it.port, pod=node.pod_address)
            for it in SERVICES
            if it.transport in self.transports
        ]
        config = directory / "haproxy.cfg"
        config.write_text(HEAD + "".join(listeners))
        in_foreground = "-db"
        return node.host.start([self._program, in_foreground, "-q", "-f", str(config)], directory / "stderr.log")
