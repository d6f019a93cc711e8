"""What is measured: a scenario fixes protocol, connections, routes and body; every proxy meets the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DOMAIN = "bench.test"


class Protocol(Enum):
    """What the client speaks to the proxy. The proxy always speaks HTTP/1.1 in clear text to the backend."""

    H1 = "HTTP/1.1"
    H2C = "HTTP/2 without TLS"
    H1_TLS = "HTTP/1.1 over TLS"
    H2_TLS = "HTTP/2 over TLS"

    @property
    def is_tls(self) -> bool:
        return self in (Protocol.H1_TLS, Protocol.H2_TLS)

    @property
    def is_h2(self) -> bool:
        return self in (Protocol.H2C, Protocol.H2_TLS)


@dataclass(frozen=True)
class Routes:
    """A route table: each of `hosts` host names with `paths` path prefixes, a route of its own for every pair.

    All routes lead to the same backend. The requests go to all the prefixes of one host in the middle of the table.
    """

    hosts: int
    paths: int

    def __len__(self) -> int:
        return self.hosts * self.paths

    def host_names(self) -> list[str]:
        return [f"h{number}.{DOMAIN}" for number in range(self.hosts)]

    def prefixes(self) -> list[str]:
        return [f"/r{number}" for number in range(self.paths)]

    def requested_host(self) -> str:
        return self.host_names()[self.hosts // 2]


ONE_ROUTE = Routes(hosts=1, paths=1)
MANY_ROUTES = Routes(hosts=100, paths=50)

SMALL_BODY = 100
LARGE_BODY = 100 * 1024


@dataclass(frozen=True)
class Scenario:
    """One set of conditions. `rate` (requests per second) is what latency is measured at, the same for every proxy."""

    name: str
    protocol: Protocol = Protocol.H1
    connections: int = 64
    streams: int = 1
    """Requests in flight on each connection."""
    body: int = SMALL_BODY
    routes: Routes = ONE_ROUTE
    rate: int = 3000
    group: str = ""
    """Scenarios of one group are measured in turn in the same rounds, so that they can be compared with each other."""

    @property
    def title(self) -> str:
        connections = "1 connection" if self.connections == 1 else f"{self.connections} connections"
        streams = f" of {self.streams} streams" if self.streams > 1 else ""
        body = f"{self.body} B" if self.body == SMALL_BODY else f"{self.body // 1024} KiB"
        routes = "1 route" if len(self.routes) == 1 else f"{len(self.routes):,} routes"
        return f"{self.protocol.value}, {connections}{streams}, {body} body, {routes}"

    def paths(self) -> list[str]:
        """The paths that are requested in turn; the backend reads the body's length from the last segment."""
        return [f"{prefix}/{self.body}" for prefix in self.routes.prefixes()]

    def url(self, path: str) -> str:
        """The URL as a client of the Gateway writes it; the load generators connect to the proxy's own port instead."""
        scheme = "https" if self.protocol.is_tls else "http"
        return f"{scheme}://{self.routes.requested_host()}{path}"


HEADLINE = "h1-64"
ROUTES_HEADLINE = "h1-5000-routes"

ALL = [
    Scenario(HEADLINE, group="routes"),
    Scenario(ROUTES_HEADLINE, routes=MANY_ROUTES, rate=1000, group="routes"),
    Scenario("h1-1", connections=1, rate=1000),
    Scenario("h1-512", connections=512),
    Scenario("h1-100k", body=LARGE_BODY, rate=1000),
    Scenario("h2-64", Protocol.H2C),
    Scenario("tls-64", Protocol.H1_TLS),
    Scenario("h2-1x64", Protocol.H2C, connections=1, streams=64),
    Scenario("h2-512", Protocol.H2C, connections=512),
    Scenario("h2-100k", Protocol.H2C, body=LARGE_BODY, rate=1000),
    Scenario("h2-5000-routes", Protocol.H2C, routes=MANY_ROUTES, rate=1000),
    Scenario("tls-1", Protocol.H1_TLS, connections=1, rate=1000),
    Scenario("tls-512", Protocol.H1_TLS, connections=512),
    Scenario("tls-100k", Protocol.H1_TLS, body=LARGE_BODY, rate=1000),
    Scenario("h2-tls-64", Protocol.H2_TLS),
]

QUICK = [HEADLINE, ROUTES_HEADLINE, "h2-64", "tls-64"]
DEFAULT = [*QUICK, "h1-1", "h1-512", "h1-100k"]


def chosen(names: list[str]) -> list[Scenario]:
    """The scenarios of these names, in the order of `ALL`."""
    unknown = set(names) - {scenario.name for scenario in ALL}
    if unknown:
        raise ValueError(f"no scenario is called {', '.join(sorted(unknown))}")
    return [scenario for scenario in ALL if scenario.name in names]


def grouped(scenarios: list[Scenario]) -> list[list[Scenario]]:
    """The scenarios put together that are to be measured in the same rounds."""
    groups: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        groups.setdefault(scenario.group or scenario.name, []).append(scenario)
    return list(groups.values())
