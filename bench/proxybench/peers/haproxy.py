"""HAProxy, from Debian."""

from __future__ import annotations

from ..provision import Provision, version_of
from .peer import Launch, Peer, Setup

# The routes are in a map with a prefix tree, which is how HAProxy's manual would have thousands of them written.
CONFIG = """\
global
    nbthread 1
    maxconn 8192
    log stdout format raw daemon info
defaults
    mode http
    log global
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
    option forwardfor
    unique-id-format %[uuid()]
    unique-id-header X-Request-ID
    log-format '{{"time":"%tr","client":"%ci","method":"%HM","path":"%HP","status":%ST,"bytes":%B,"duration":%Ta,\
"upstream":"%si:%sp","upstream_duration":%Tr,"request_id":"%ID"}}'
frontend edge
    bind 127.0.0.1:{port} {options}
    http-request set-header X-Forwarded-Proto {scheme}
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    use_backend %[base,map_beg({routes})]
    default_backend none
backend app
    server app 127.0.0.1:{backend_port} pool-max-conn -1
backend none
    http-request return status 404
"""


class HAProxy(Peer):
    name = "haproxy"
    title = "HAProxy"

    def prepare(self, provision: Provision) -> None:
        self._program = str(provision.debian("haproxy", "haproxy"))
        self.version = version_of([self._program, "-v"]).split()[2]

    def launch(self, setup: Setup) -> Launch:
        protocol = setup.scenario.protocol
        if protocol.is_tls:
            options = f"ssl crt {setup.certificate.combined} alpn {'h2' if protocol.is_h2 else 'http/1.1'}"
        else:
            options = "proto h2" if protocol.is_h2 else ""
        table = setup.scenario.routes
        routes = "".join(f"{host}{prefix}/ app\n" for host in table.host_names() for prefix in table.prefixes())
        text = CONFIG.format(
            port=setup.port,
            options=options,
            scheme="https" if protocol.is_tls else "http",
            routes=setup.write("routes.map", routes),
            backend_port=setup.backend_port,
        )
        in_foreground = "-db"
        return Launch([self._program, in_foreground, "-q", "-f", setup.write("haproxy.cfg", text)])
