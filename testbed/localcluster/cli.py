"""The command line of testbed/cluster."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from pathlib import Path

from . import claim, lifecycle, logs, portway, processes, programs
from .layout import DEFAULT_NAME, ClusterError, Layout
from .processes import in_namespace

EPILOG = """\
examples:
  testbed/cluster up --nodes 2
  testbed/cluster kubectl get pods --all-namespaces
  testbed/cluster client -- curl http://172.30.1.1/
  testbed/cluster down

The cluster is in network namespaces of its own: kubectl, helm and curl reach it from the client's namespace, by
`client -- COMMAND`, where KUBECONFIG and the addresses of `env` are set."""


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    # So that `up` cleans up after itself when it is told to end.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if os.geteuid() != 0:
            raise ClusterError("network namespaces and mounts want root")
        return asked.run(asked) or 0
    except ClusterError as error:
        print(f"testbed/cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("testbed/cluster: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="testbed/cluster",
        description="A real Kubernetes on this machine, each node in a network namespace.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    named = argparse.ArgumentParser(add_help=False)
    default = os.environ.get("TESTBED_NAME", DEFAULT_NAME)
    named.add_argument("--name", default=default, help=f"which cluster (TESTBED_NAME, else {DEFAULT_NAME})")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        it = commands.add_parser(name, parents=[named], help=text, description=text)
        it.set_defaults(run=run)
        return it

    up = command("up", _up, "start a cluster, and wait until it is ready")
    up.add_argument("--nodes", type=int, default=1, help="how many (1)")
    command("down", _down, "end it, and remove every trace")
    load = command("load", _load, "give image archives to every node")
    load.add_argument("archive", nargs="+", type=Path)
    for name, run, text in [
        ("client", _client, "run a command outside of the cluster, beside it"),
        ("node", _node, "run a command in a node's network namespace"),
        ("kubectl", _kubectl, "run kubectl, as the administrator"),
    ]:
        it = command(name, run, text)
        if name == "node":
            it.add_argument("node", type=int)
        it.add_argument("command", nargs=argparse.REMAINDER)
    for name, run, text in [
        ("stop", _stop, "end components, such as kube-apiserver or kubelet2, as if they had crashed"),
        ("start", _start, "start them again, as they were"),
    ]:
        command(name, run, text).add_argument("component", nargs="+")
    command("status", _status, "tell which components run")
    install = command("install", _install, "install Portway by its Helm chart, or another build of it")
    install.add_argument("--binary", type=Path, help="the program (that of `cargo build --release`)")
    install.add_argument("--prepare", action="store_true", help="CRDs and images alone, for a controller outside")
    install.add_argument("--chart", type=Path, default=portway.CHART, help="the folder of a chart (ours)")
    install.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a value for the chart")
    collect = command("logs", _logs, "collect the logs of all components and pods")
    collect.add_argument("directory", type=Path)
    command("kubeconfig", _kubeconfig, "print the path of the kubeconfig")
    env = command("env", _env, "print the addresses, as commands for a shell")
    env.add_argument("--json", action="store_true", help="as an object")
    commands.add_parser("list", help="name the clusters that stand").set_defaults(run=_list)
    return parser


def _up(asked: argparse.Namespace) -> None:
    layout = lifecycle.up(asked.name, asked.nodes)
    print(layout.kubeconfig)


def _down(asked: argparse.Namespace) -> None:
    lifecycle.down(asked.name)


def _load(asked: argparse.Namespace) -> None:
    lifecycle.load(_standing(asked), [archive.resolve() for archive in asked.archive])


def _client(asked: argparse.Namespace) -> None:
    layout = _standing(asked)
    _become(layout, in_namespace(layout.client_namespace, _command(asked)))


def _node(asked: argparse.Namespace) -> None:
    layout = _standing(asked)
    if asked.node not in layout.node_numbers:
        raise ClusterError(f"the cluster {layout.name} has {layout.nodes} nodes, the first of which is node 1")
    _become(layout, in_namespace(layout.node_namespace(asked.node), _command(asked)))


def _kubectl(asked: argparse.Namespace) -> None:
    layout = _standing(asked)
    _become(layout, in_namespace(layout.client_namespace, ["kubectl", *_without_dashes(asked.command)]))


def _stop(asked: argparse.Namespace) -> None:
    for component in asked.component:
        processes.stop(_standing(asked), component)


def _start(asked: argparse.Namespace) -> None:
    for component in asked.component:
        processes.start(_standing(asked), component)


def _status(asked: argparse.Namespace) -> int:
    """Fails if a component does not run."""
    noted = processes.noted(_standing(asked))
    for component, process in noted.items():
        print(f"{component}\t{f'pid {process.pid}' if process.runs() else 'ended'}")
    return 0 if all(process.runs() for process in noted.values()) else 1


def _install(asked: argparse.Namespace) -> None:
    layout = _standing(asked)
    build = portway.Build(asked.binary or portway.default_binary())
    if asked.prepare:
        return portway.prepare(layout, build)
    portway.install(layout, build, asked.set, asked.chart)
    print(portway.how_to_reach(layout))


def _logs(asked: argparse.Namespace) -> None:
    logs.collect(_standing(asked), asked.directory)
    print(asked.directory)


def _kubeconfig(asked: argparse.Namespace) -> None:
    print(_standing(asked).kubeconfig)


def _env(asked: argparse.Namespace) -> None:
    environment = _standing(asked).environment()
    if asked.json:
        print(json.dumps(environment, indent=1))
    else:
        for name, value in environment.items():
            print(f"export {name}={shlex.quote(value)}")


def _list(_: argparse.Namespace) -> None:
    for layout in claim.standing():
        print(f"{layout.name}\t{layout.nodes} nodes\t{layout.node_network}")


def _standing(asked: argparse.Namespace) -> Layout:
    claim.check_name(asked.name)
    if layout := Layout.load(asked.name):
        return layout
    raise ClusterError(f"there is no cluster {asked.name}: cluster up --name {asked.name}")


def _command(asked: argparse.Namespace) -> list[str]:
    if command := _without_dashes(asked.command):
        return command
    raise ClusterError("which command?")


def _without_dashes(command: list[str]) -> list[str]:
    return command[1:] if command[:1] == ["--"] else command


def _become(layout: Layout, argv: list[str]) -> None:
    """Runs a command in the place of this one, with the cluster's variables, and its kubectl and helm found first."""
    path = os.pathsep.join([str(programs.folder() / "bin"), os.environ.get("PATH", os.defpath)])
    sys.stdout.flush()
    os.execvpe(argv[0], argv, {**os.environ, **layout.environment(), "PATH": path})


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
