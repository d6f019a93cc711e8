"""The proxies that are measured; each module configures one of them."""

from __future__ import annotations

from .direct import Direct
from .envoy import Envoy
from .haproxy import HAProxy
from .nginx import Nginx
from .peer import Launch, Peer, Setup
from .portway import Portway
from .relay import Relay
from .traefik import Traefik

__all__ = ["ALL", "Launch", "Peer", "Setup"]

ALL: list[type[Peer]] = [Portway, Nginx, HAProxy, Envoy, Traefik, Relay, Direct]
"""In the order in which they are shown."""
