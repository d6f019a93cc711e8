"""A bare byte relay (`programs/relay.c`): the floor, for it neither reads HTTP nor logs."""

from __future__ import annotations

from ..provision import Provision
from ..scenario import Protocol, Scenario
from .peer import Launch, Peer, Setup


class Relay(Peer):
    name = "relay"
    title = "byte relay"
    version = "programs/relay.c"
    matches_routes = False

    def prepare(self, provision: Provision) -> None:
        self._program = provision.c_program("relay")

    def refusal(self, scenario: Scenario) -> str | None:
        if scenario.protocol is not Protocol.H1:
            return "it copies bytes, and the backend speaks HTTP/1.1 in clear text only"
        return "it has no routes" if len(scenario.routes) > 1 else None

    def launch(self, setup: Setup) -> Launch:
        return Launch([str(self._program), str(setup.backend_port)], prints_port=True)
