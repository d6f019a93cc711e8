"""Brings up a cluster, installs Portway, adds routes step by step, and measures at each step what one change costs."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcluster import lifecycle, logs, portway
from localcluster.api import kubectl
from localcluster.layout import Layout
from portwaytests.cluster import processes_of_pod

from . import scene
from .apiserver import ApiServer
from .measure import Bench
from .probe import Probe
from .process import Process
from .table import tables

NAME = "bench-control"
SECONDS = 120


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    name = asked.cluster or NAME
    if not asked.cluster:
        lifecycle.down(name)
        lifecycle.up(name, nodes=1)
    layout = Layout.load(name)
    if layout is None:
        print(f"there is no cluster {name}: testbed/cluster up --name {name}", file=sys.stderr)
        return 1
    try:
        portway.install(layout, portway.Build(asked.binary or portway.default_binary()), [])
        results = _run(layout, asked)
    except (OSError, TimeoutError) as error:
        directory = asked.output.with_suffix(".logs")
        logs.collect(layout, directory)
        print(f"{error}; logs of everything: {directory}", file=sys.stderr)
        return 1
    finally:
        if not asked.cluster and not asked.keep:
            lifecycle.down(name)
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\n{tables(results['grown'], results['changed'])}\n\n{asked.output}")
    return 0


def _run(layout: Layout, asked: argparse.Namespace) -> dict[str, Any]:
    teams = [scene.Team(number, asked.namespaces) for number in range(asked.sizes[-1])]
    namespaces = sorted({team.namespace for team in teams})
    # A cluster that stands may have those of a run before.
    kubectl(layout, "delete", "namespace", scene.HOME, *namespaces, "--ignore-not-found", "--timeout=300s")
    objects = [*scene.home(), *(scene.namespace(name) for name in namespaces)]
    kubectl(layout, "apply", "--filename=-", stdin="\n---\n".join(json.dumps(it) for it in objects))
    kubectl(layout, "rollout", "status", "deployment/page", f"--namespace={scene.HOME}", f"--timeout={SECONDS}s")
    api = ApiServer(layout)
    bench = Bench(
        api=api,
        probe=Probe(layout, _address(api)),
        controller=_process(layout, portway.NAMESPACE, lambda pod: _leader(layout).startswith(pod["metadata"]["name"])),
        proxy=_process(layout, scene.HOME, lambda pod: pod["metadata"]["labels"].get("app") != "page"),
        teams=teams,
        pods=[
            (pod["metadata"]["name"], pod["status"]["podIP"])
            for pod in _pods(layout, scene.HOME)
            if pod["metadata"]["labels"].get("app") == "page"
        ],
    )
    grown, changed = [], []
    for start, end in zip([0, *asked.sizes], asked.sizes):
        _tell(f"{end} routes")
        grown.append(bench.grow(start, end))
        _tell(json.dumps(grown[-1]))
        changed.append(bench.change(end, asked.changes))
        _tell(json.dumps(changed[-1]))
    return {"namespaces": asked.namespaces, "changes": asked.changes, "grown": grown, "changed": changed}


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _address(api: ApiServer) -> str:
    def address() -> str | None:
        addresses = api.get("Gateway", scene.HOME, scene.GATEWAY).get("status", {}).get("addresses", [])
        return addresses[0]["value"] if addresses else None

    return _eventually(address, "an address of the Gateway")


def _leader(layout: Layout) -> str:
    leases = json.loads(kubectl(layout, "get", "lease", f"--namespace={portway.NAMESPACE}", "--output=json"))
    return next((it["spec"].get("holderIdentity") or "" for it in leases["items"]), "")


def _pods(layout: Layout, namespace: str) -> list[dict[str, Any]]:
    return json.loads(kubectl(layout, "get", "pods", f"--namespace={namespace}", "--output=json"))["items"]


def _process(layout: Layout, namespace: str, is_meant: Callable[[dict[str, Any]], bool]) -> Process:
    def process() -> Process | None:
        pods = [pod for pod in _pods(layout, namespace) if is_meant(pod)]
        pids = [pid for pod in pods for pid in processes_of_pod(pod["metadata"]["uid"])]
        return Process(pids[0]) if pids else None

    return _eventually(process, f"the process of a pod in namespace {namespace}")


def _eventually(ask: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(0.2)
    raise TimeoutError(f"waited {SECONDS} s in vain for {what}")


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(it) for it in text.split(",")})
    if not sizes or sizes[0] < 1:
        raise argparse.ArgumentTypeError("numbers of routes, at least 1 each, with commas between them")
    return sizes


def _parser() -> argparse.ArgumentParser:
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    parser = argparse.ArgumentParser(
        prog="bench/control", description="What a change costs beside thousands of routes, in a cluster of its own."
    )
    parser.add_argument("--cluster", help="one that stands, to be left standing; Portway is installed into it")
    parser.add_argument("--keep", action="store_true", help="leave the cluster")
    parser.add_argument("--binary", type=Path, help="the program (that of `cargo build --release`)")
    parser.add_argument("--sizes", type=_sizes, default=[10, 1000, 5000], help="numbers of routes (10,1000,5000)")
    parser.add_argument("--namespaces", type=int, default=50, help="over which they are spread (%(default)s)")
    parser.add_argument("--changes", type=int, default=20, help="of each kind, at each step (%(default)s)")
    parser.add_argument("--output", type=Path, default=target / "bench" / "control.json", help="%(default)s")
    return parser
