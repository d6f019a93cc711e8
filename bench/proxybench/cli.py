"""A run from beginning to end: provide the programs, measure, show, judge."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from . import aims, certificate, chart, command_line, machine, record, table
from .backend import Backend
from .burst import Tools
from .l4 import part as l4
from .l4.part import L4Part
from .l4.scenario import L4Scenario
from .peers import Peer
from .provision import Provision, Unavailable
from .results import Result, summarise
from .rounds import Bench, Plan, measure_group
from .scenario import Scenario, grouped

CONDITIONS = """\
Every proxy: one worker on core {proxy}; load generator and backend on core {load}; HTTP/1.1 to the backend, kept
alive; X-Forwarded-For, -Proto and -Host and a request id; one JSON line for each request to the access log, which is
/dev/null, buffered where the proxy can (nginx, Envoy, Traefik). The byte relay does none of this: it is the floor."""

NEEDED = {"curl": "curl", "openssl": "openssl", "taskset": "util-linux", "setpriv": "util-linux"}
"""Programs that every run needs, with their Debian packages."""

NOISE_TO_MENTION = 0.1
"""Share of the proxy's core, used by others, above which the figures are worth a warning."""


def main(arguments: list[str]) -> int:
    """Runs the benchmark and returns the exit status."""
    options = command_line.parse(arguments)
    for request_to_end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(request_to_end, _interrupt)
    try:
        return _run(options, command_line.scenarios(options), command_line.l4_scenarios(options))
    except (ValueError, RuntimeError, Unavailable) as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nbench/run: interrupted; every process it started has been ended", file=sys.stderr)
        return 130


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """However the run is asked to end, everything that it started is ended and removed on the way out."""
    raise KeyboardInterrupt


def _run(options: argparse.Namespace, scenarios: list[Scenario], l4_scenarios: list[L4Scenario]) -> int:
    machine.allow_many_connections()
    cores = machine.available_cores()
    plan = command_line.plan(options)
    provision = Provision(options.cache, Path(__file__).parent.parent / "programs", options.portway)
    peers, missing = _prepared(command_line.peer_types(options) if scenarios else [], provision)
    tools = _tools(provision, plan) if scenarios else None
    if scenarios and not peers:
        raise RuntimeError("there is no proxy to measure: " + "; ".join(missing.values()))
    header = _header(plan, peers, missing, cores)
    _print_header(header, peers, missing, cores)
    if options.priority:
        machine.take_priority()
    results = _measured(scenarios, peers, tools, provision, cores, plan) if tools else []
    part = l4.L4Part(l4_scenarios)
    if l4_scenarios:
        part = l4.run(l4_scenarios, command_line.balancer_types(options), provision, cores, plan)
    return _conclude(options, header, scenarios, results, part)


def _measured(
    scenarios: list[Scenario], peers: list[Peer], tools: Tools, provision: Provision, cores: machine.Cores, plan: Plan
) -> list[Result]:
    """Measures HTTP, and prints the table of each scenario when it is done."""
    results: list[Result] = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portway-bench-")))
        backend = Backend(provision.c_program("backend"), directory, cores.load)
        stack.callback(backend.stop)
        bench = Bench(tools, backend, certificate.issue(directory), cores, directory)
        for group in grouped(scenarios):
            measured = summarise(measure_group(group, peers, bench, plan))
            results += measured
            for scenario in group:
                print()
                print(table.render(scenario, [result for result in measured if result.scenario == scenario.name]))
    return results


def _prepared(peer_types: list[type[Peer]], provision: Provision) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be had, and why the others cannot, by name."""
    peers: list[Peer] = []
    missing: dict[str, str] = {}
    for peer_type in peer_types:
        peer = peer_type()
        try:
            peer.prepare(provision)
            peers.append(peer)
        except Unavailable as reason:
            missing[peer.name] = str(reason)
    return peers, missing


def _tools(provision: Provision, plan: Plan) -> Tools:
    """The load generators. h2load and what else every run needs must be there; without vegeta there is no latency."""
    for program, package in NEEDED.items():
        provision.debian(program, package)
    h2load = provision.debian("h2load", "nghttp2-client")
    vegeta = None
    try:
        vegeta = provision.vegeta() if plan.pace_seconds > 0 else None
    except Unavailable as reason:
        print(f"latency is not measured: {reason}", file=sys.stderr)
    return Tools(h2load, vegeta)


def _header(plan: Plan, peers: list[Peer], missing: dict[str, str], cores: machine.Cores) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.description(),
        "cores": {"proxy": cores.proxy, "load": list(cores.load)},
        "plan": {"rounds": plan.rounds, "burst_seconds": plan.burst_seconds, "pace_seconds": plan.pace_seconds},
        "versions": {peer.name: peer.version for peer in peers},
        "missing": missing,
    }


def _print_header(header: dict[str, Any], peers: list[Peer], missing: dict[str, str], cores: machine.Cores) -> None:
    about, plan = header["machine"], header["plan"]
    print(f"{header['date']}, {about['processor']}, {about['cores']} cores, Linux {about['kernel']}", end="")
    print(f", load average {about['load_average']}")
    print(f"{plan['rounds']} rounds; medians.")
    if peers:
        print(CONDITIONS.format(proxy=cores.proxy, load=", ".join(map(str, cores.load))))
        print(", ".join(f"{peer.title} ({peer.version})" for peer in peers))
    for name, reason in missing.items():
        print(f"NOT MEASURED  {name}: {reason}")


def _conclude(
    options: argparse.Namespace, header: dict[str, Any], scenarios: list[Scenario], results: list[Result], part: L4Part
) -> int:
    """Prints the aims, writes the files and returns the exit status."""
    if results:
        print(f"\n{table.LEGEND}")
    everything = [*results, *part.results]
    noise = [result.others_busy for result in everything if result.others_busy is not None]
    if noise:
        print(f"Other programs used up to {max(noise):.0%} of the proxy's core; a quiet machine has 0 to 2%.", end="")
        print(" Try --priority." if max(noise) > NOISE_TO_MENTION and not options.priority else "")
    verdicts = [*aims.judge(results), *part.aims()]
    print("\nAims of Portway")
    for aim in verdicts:
        print(f"  {aim.line()}")
    if not verdicts:
        print("  none was measured, for Portway was not")
    record.write(options.json, header, scenarios, results, verdicts, part)
    print(f"\nrecord: {options.json}")
    if options.svg and results:
        options.svg.parent.mkdir(parents=True, exist_ok=True)
        options.svg.write_text(chart.draw(scenarios, results, _footnote(header)))
        print(f"chart:  {options.svg}")
    rates = [result.requests_per_second for result in results] + [result.per_second for result in part.results]
    if all(rate is None for rate in rates):
        return 2
    reached = bool(verdicts) and all(aim.reached for aim in verdicts)
    return 1 if options.enforce and not reached else 0


def _footnote(header: dict[str, Any]) -> str:
    """What the chart's reader must know: when, where, and which versions."""
    about = header["machine"]
    versions = [f"{name} {version}" for name, version in header["versions"].items() if version[0].isdigit()]
    kernel = about["kernel"].partition("-")[0]
    return f"{header['date'][:10]}, {about['processor']}, Linux {kernel}; {', '.join(versions)}"
