"""The part as a whole: provide the programs, make the network, measure, show."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..aims import Aim
from ..machine import Cores
from ..provision import Provision, Unavailable
from ..rounds import Plan
from . import aims, table
from .balancers import Balancer
from .burst import Scene
from .host import HostFailure
from .network import Network
from .results import L4Result, summarise
from .rounds import measure_all
from .scenario import L4Scenario
from .servers import L4Tools, Servers, find_tools

CONDITIONS = """\
Layer 4: a client, a pod, and a node for each balancer between them, each a network namespace. What the nodes forward
is worked on by core {node}, client and server by core {load}. Segments are large, as with a card that cuts them up."""


@dataclass(frozen=True)
class L4Part:
    """What was measured at layer 4."""

    scenarios: list[L4Scenario]
    results: list[L4Result] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def aims(self) -> list[Aim]:
        return aims.judge(self.results)

    def record(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "versions": self.versions,
            "missing": self.missing,
            "scenarios": [_described(scenario) for scenario in self.scenarios],
            "results": [asdict(result) for result in self.results],
        }


def run(
    scenarios: list[L4Scenario], balancer_types: list[type[Balancer]], provision: Provision, cores: Cores, plan: Plan
) -> L4Part:
    """Measures, and prints a table for each scenario. What cannot be measured is said, and is no error."""
    part = L4Part(scenarios)
    print("\n" + CONDITIONS.format(node=cores.proxy, load=", ".join(map(str, cores.load))))
    balancers = _prepared(part, balancer_types, provision)
    print(", ".join(f"{it.title} ({it.version})" for it in balancers))
    try:
        part.results.extend(_measured(scenarios, balancers, find_tools(provision), cores, plan))
    except (Unavailable, HostFailure) as reason:
        part.missing["layer 4"] = str(reason)
    for name, reason in part.missing.items():
        print(f"NOT MEASURED  {name}: {reason}")
    for scenario in scenarios:
        of_scenario = [result for result in part.results if result.scenario == scenario.name]
        if of_scenario:
            print(f"\n{table.render(scenario, of_scenario)}")
    print(f"\n{table.LEGEND}")
    return part


def _prepared(part: L4Part, balancer_types: list[type[Balancer]], provision: Provision) -> list[Balancer]:
    """The balancers that can be had; why the others cannot is noted."""
    balancers: list[Balancer] = []
    for balancer_type in balancer_types:
        balancer = balancer_type()
        try:
            balancer.prepare(provision)
            balancers.append(balancer)
            part.versions[balancer.name] = balancer.version
        except Unavailable as reason:
            part.missing[balancer.name] = str(reason)
    return balancers


def _measured(
    scenarios: list[L4Scenario], balancers: list[Balancer], tools: L4Tools, cores: Cores, plan: Plan
) -> list[L4Result]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portway-bench-l4-")))
        network = Network(cores, directory)
        stack.callback(network.stop)
        servers = Servers(network.pod, tools, directory)
        stack.callback(servers.stop)
        scene = Scene(tools, network, servers, cores, directory)
        return summarise(measure_all(scenarios, balancers, scene, plan))


def _described(scenario: L4Scenario) -> dict[str, Any]:
    return {
        "name": scenario.name,
        "title": scenario.title,
        "service": scenario.service.name,
        "counted": scenario.unit.counted.value,
    }
