"""nginx, from Debian."""

from __future__ import annotations

import os

from ..provision import Provision, version_of
from ..scenario import Scenario
from .peer import Launch, Peer, Setup

MAIN = """\
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid nginx.pid;
{user}
events {{ worker_connections 8192; }}
http {{
    log_format json escape=json '{{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
        '"host":"$host","path":"$request_uri","status":$status,"bytes":$body_bytes_sent,"duration":$request_time,'
        '"upstream":"$upstream_addr","upstream_duration":"$upstream_response_time","request_id":"$request_id",'
        '"agent":"$http_user_agent"}}';
    access_log /dev/null json buffer=64k flush=1s;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    # nginx closes a connection after 1,000 requests unless told otherwise; no other proxy here does.
    keepalive_requests 100000000;
    server_names_hash_max_size 4096;
    # Streams a large response like the other proxies, instead of spooling it to disk.
    proxy_max_temp_file_size 0;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host;
    proxy_set_header X-Request-ID $request_id;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    upstream app {{
        server 127.0.0.1:{backend_port};
        keepalive 1024;
        keepalive_requests 100000000;
    }}
    server {{ listen {listen} default_server; server_name _; return 404; }}
{servers}
}}
"""


class Nginx(Peer):
    name = "nginx"
    title = "nginx"

    def prepare(self, provision: Provision) -> None:
        self._program = str(provision.debian("nginx", "nginx-light"))
        self.version = version_of([self._program, "-v"]).rpartition("/")[2]

    def launch(self, setup: Setup) -> Launch:
        (setup.directory / "temp").mkdir()
        listen = f"127.0.0.1:{setup.port}"
        if setup.scenario.protocol.is_tls:
            listen += " ssl"
        if setup.scenario.protocol.is_h2:
            listen += " http2"
        text = MAIN.format(
            # Started by root, its worker would else be another user, who may not enter the directory.
            user="user root;" if os.geteuid() == 0 else "",
            certificate=setup.certificate.certificate,
            key=setup.certificate.key,
            backend_port=setup.backend_port,
            listen=listen,
            servers=_servers(setup.scenario, listen),
        )
        config = setup.write("nginx.conf", text)
        return Launch([self._program, "-p", str(setup.directory), "-c", config, "-e", "stderr"])


def _servers(scenario: Scenario, listen: str) -> str:
    """One server for each host name, one location for each path prefix."""
    locations = " ".join(f"location {prefix}/ {{ proxy_pass http://app; }}" for prefix in scenario.routes.prefixes())
    template = "    server {{ listen {listen}; server_name {host}; {locations} location / {{ return 404; }} }}"
    hosts = scenario.routes.host_names()
    return "\n".join(template.format(listen=listen, host=host, locations=locations) for host in hosts)
