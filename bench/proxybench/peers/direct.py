"""No proxy at all: what load generator and backend reach by themselves, the ceiling of every other figure."""

from __future__ import annotations

from ..provision import Provision
from ..scenario import Protocol, Scenario
from .peer import Launch, Peer, Setup


class Direct(Peer):
    name = "direct"
    title = "no proxy"
    version = "load generator to backend"
    matches_routes = False

    def prepare(self, provision: Provision) -> None:
        """The backend is there in any case."""

    def refusal(self, scenario: Scenario) -> str | None:
        return None if scenario.protocol is Protocol.H1 else "the backend speaks HTTP/1.1 in clear text only"

    def launch(self, setup: Setup) -> Launch | None:
        return None
