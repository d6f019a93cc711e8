"""The cluster's DNS: CoreDNS behind the address that kubelet tells pods of."""

from __future__ import annotations

from pathlib import Path
from string import Template

from .api import kubectl
from .layout import Layout

MANIFEST = Path(__file__).with_name("dns.yaml")
NAMESPACE, DEPLOYMENT = "kube-system", "coredns"


def install(layout: Layout) -> None:
    manifest = Template(MANIFEST.read_text()).substitute(
        dns_address=layout.dns_address, client_address=layout.client_address
    )
    kubectl(layout, "apply", "--filename=-", stdin=manifest)
