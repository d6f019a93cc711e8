"""Who is measured at layer 4; each module sets up one of them."""

from __future__ import annotations

from .balancer import Balancer
from .envoy import Envoy
from .haproxy import HAProxy
from .kube_proxy import KubeProxy
from .nftables import Nftables
from .none import NoBalancer
from .portway import PortwayKernel, PortwayProxy

__all__ = ["ALL", "Balancer"]

ALL: list[type[Balancer]] = [PortwayKernel, PortwayProxy, HAProxy, Envoy, KubeProxy, Nftables, NoBalancer]
"""In the order in which they are shown."""
