"""The measurements."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from .apiserver import ApiServer
from .probe import Probe
from .process import Process
from .scene import GATEWAY, HOME, Team, lead_to

# How long nothing is done, to see what the processes use by themselves.
REST = 5.0
# Between two changes of which the work is counted: none is joined with the next.
SPACING = 0.25
# Until the statuses of the last change are written.
SETTLE = 2.0
COUNT_SECONDS = 600.0


@dataclass
class Bench:
    """What is measured, and by what."""

    api: ApiServer
    probe: Probe
    controller: Process
    proxy: Process
    teams: list[Team]
    pods: list[tuple[str, str]]
    """Name and address of each that is sent to."""

    def grow(self, start: int, end: int) -> dict[str, float]:
        """Creates routes; their Services are there first."""
        teams = self.teams[start:end]
        address = self.pods[0][1]
        self.api.create_all([team.service() for team in teams])
        self.api.create_all([team.endpoints(address) for team in teams])
        self._settle()
        cpu, received = self._cpu(), self.proxy.received_from_controller()
        writes, begin = self.api.status_writes(), time.monotonic()
        self.api.create_all([team.route() for team in teams])
        created = time.monotonic()
        served = self.probe.all_serve([team.host for team in teams])
        counted = self._counted(end)
        self._settle()
        written = {kind: count - writes.get(kind, 0) for kind, count in self.api.status_writes().items()}
        used = [after - before for before, after in zip(cpu, self._cpu())]
        return {
            "routes": end,
            "added": len(teams),
            "created_seconds": created - begin,
            "all_serve_seconds": served - begin,
            "count_correct_seconds": counted - begin,
            "gateway_status_writes": written.get("gateways", 0),
            "route_status_writes": written.get("httproutes", 0),
            "controller_cpu_seconds": used[0],
            "proxy_cpu_seconds": used[1],
            "controller_mebibytes": self.controller.resident(),
            "proxy_mebibytes": self.proxy.resident(),
            "stream_bytes": self.proxy.received_from_controller() - received,
        }

    def change(self, routes: int, changes: int) -> dict[str, float]:
        """One route changed, then one endpoint, again and again: how long until it serves, and the work that it is."""
        team = self.teams[routes // 2]
        marks = iter(range(1_000_000))

        def change_route() -> Callable[[str, str], bool]:
            mark = f"{routes}-{next(marks)}"
            self.api.patch("HTTPRoute", team.namespace, team.name, {"spec": team.rules(mark)})
            return lambda seen, _: seen == mark

        def change_endpoint() -> Callable[[str, str], bool]:
            name, address = self.pods[next(marks) % len(self.pods)]
            self.api.patch("EndpointSlice", team.namespace, team.name, lead_to(address))
            return lambda _, body: name in body

        measured: dict[str, float] = {"routes": routes}
        for what, change in (("route", change_route), ("endpoint", change_endpoint)):
            measured |= {f"{what}_{key}": value for key, value in self._latency(team, change, changes).items()}
            measured |= {f"{what}_{key}": value for key, value in self._work(change, changes).items()}
        return measured

    def _latency(self, team: Team, change: Callable, changes: int) -> dict[str, float]:
        """From the moment at which the API server has taken it."""
        waits = []
        for _ in range(changes):
            is_there = change()
            begin = time.monotonic()
            waits.append((self.probe.until(team.host, is_there) - begin) * 1e3)
            time.sleep(SPACING)
        return {"median_ms": statistics.median(waits), "slowest_ms": max(waits)}

    def _work(self, change: Callable, changes: int) -> dict[str, float]:
        """Without a request meanwhile, and less what the processes use when nothing happens."""
        self._settle()
        resting, received = self._used_in(lambda: time.sleep(REST)), self.proxy.received_from_controller()

        def do() -> None:
            for _ in range(changes):
                change()
                time.sleep(SPACING)
            time.sleep(SETTLE)

        seconds, controller, proxy = self._used_in(do)
        per_second = [used / resting[0] for used in resting[1:]]
        return {
            "controller_cpu_ms": (controller - per_second[0] * seconds) / changes * 1e3,
            "proxy_cpu_ms": (proxy - per_second[1] * seconds) / changes * 1e3,
            "stream_bytes": (self.proxy.received_from_controller() - received) / changes,
        }

    def _used_in(self, do: Callable[[], None]) -> tuple[float, float, float]:
        begin, before = time.monotonic(), self._cpu()
        do()
        used = [after - before for before, after in zip(before, self._cpu())]
        return time.monotonic() - begin, used[0], used[1]

    def _cpu(self) -> list[float]:
        return [self.controller.cpu_seconds(), self.proxy.cpu_seconds()]

    def _counted(self, routes: int) -> float:
        """Waits until the Gateway's listener says that so many routes are attached."""
        end = time.monotonic() + COUNT_SECONDS
        while time.monotonic() < end:
            status = self.api.get("Gateway", HOME, GATEWAY).get("status", {})
            if sum(listener["attachedRoutes"] for listener in status.get("listeners", [])) == routes:
                return time.monotonic()
            time.sleep(0.1)
        raise TimeoutError(f"the Gateway does not say that {routes} routes are attached")

    def _settle(self) -> None:
        """Waits until the controller has nothing to do any more."""
        before = self.controller.cpu_seconds()
        for _ in range(60):
            time.sleep(SETTLE)
            now = self.controller.cpu_seconds()
            if now - before < 0.05 * SETTLE:
                return
            before = now
