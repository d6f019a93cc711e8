"""The cluster that tests run in, and questions to it."""

from __future__ import annotations

import collections
import json
import subprocess
import sys
import time
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcluster import api, portway, processes
from localcluster.layout import ClusterError, Layout
from localcluster.processes import in_namespace

from . import gateways
from .gateways import Object

# How long anything is waited for: other things may run on the machine.
SECONDS = 120
CONTROLLER = "--selector=app.kubernetes.io/name=portway"
SYSTEM = "portway-system"


@dataclass
class Settings:
    """Of this run; `portwaytests.__main__` sets them."""

    layout: Layout | None = None
    edits: int = 200
    outage: float = 24.0
    # How often an agent is killed.
    kills: int = 8
    # Whether the program was built to be fast and small: what it costs is judged then.
    is_release: bool = True
    # What is installed, and with which values of the chart.
    build: portway.Build | None = None
    values: list[str] = field(default_factory=list)


settings = Settings()


@dataclass
class Seen:
    """What the controllers asked of the API server, and what they logged."""

    requests: collections.Counter[api.Request] = field(default_factory=collections.Counter)
    lines: list[str] = field(default_factory=list)

    def count(self, verbs: str, resource: str, namespace: str | None = None, *, refused: bool | None = None) -> int:
        """Requests; those that were refused, or those that were not, or both."""
        return sum(
            count
            for it, count in self.requests.items()
            if it.verb in verbs.split()
            and it.resource == resource
            and namespace in (None, it.namespace)
            and refused in (None, it.code >= 400)
        )

    def writes(self, resource: str, namespace: str | None = None, *, refused: bool | None = None) -> int:
        return self.count("create update patch delete", resource, namespace, refused=refused)

    def __str__(self) -> str:
        reads = ("get", "list", "watch")
        first = sorted(self.requests.items(), key=lambda it: (it[0].verb in reads, -it[1]))
        asked = (f"{count} x {' '.join(map(str, it))}" for it, count in first)
        return "\n".join(["", *list(asked)[:40], *self.lines[:40]])


class PortwayTest(unittest.TestCase):
    """A namespace of its own for each class, by the class's attribute `space`."""

    space: str
    # Objects that all tests of the class share.
    objects: list[Object] = []

    @classmethod
    def setUpClass(cls) -> None:
        assert settings.layout, "run by `testbed/test portway`"
        cls.layout = settings.layout
        with suppress(ClusterError):
            cls.kubectl("delete", "namespace", cls.space, "--ignore-not-found", "--timeout=60s")
        cls.addClassCleanup(cls.kubectl, "delete", "namespace", cls.space, "--ignore-not-found", "--wait=false")
        cls.apply(gateways.namespace(cls.space), *cls.objects)

    @classmethod
    def wake_kubernetes(cls) -> None:
        """To be called when a class is done that stopped the API server.

        Kubernetes' own parts pause for longer and longer between their attempts to watch, over a minute after the
        second absence, and no test of another class is to wait for pods and endpoints until they ask again.
        """
        for component in ("kube-controller-manager", "kube-scheduler", "kube-proxy1", "kube-proxy2"):
            processes.restart(cls.layout, component)

    @classmethod
    def kubectl(cls, *arguments: str, stdin: str | None = None) -> str:
        return api.kubectl(cls.layout, *arguments, stdin=stdin)

    @classmethod
    def apply(cls, *objects: Object) -> str:
        return cls.kubectl("apply", "--filename=-", stdin="\n---\n".join(json.dumps(it) for it in objects))

    @classmethod
    def objects_of(cls, kind: str, *arguments: str, namespace: str | None = None) -> list[Object]:
        where = f"--namespace={namespace or cls.space}"
        return json.loads(cls.kubectl("get", kind, where, "--output=json", *arguments))["items"]

    @classmethod
    def object(cls, kind: str, name: str, namespace: str | None = None) -> Object:
        where = f"--namespace={namespace or cls.space}"
        return json.loads(cls.kubectl("get", kind, name, where, "--output=json", "--show-managed-fields"))

    @classmethod
    def outside(cls, *command: str) -> str:
        """What a command prints in the client's namespace, whether it succeeds or not."""
        return processes.run(in_namespace(cls.layout.client_namespace, list(command))).stdout

    @classmethod
    def get(cls, address: str, host: str, path: str = "/", connect: float = 5) -> tuple[int, str]:
        """Status and body; 0 where nothing answers. `connect` is how long a connection may take, in seconds."""
        curl = ["curl", "--silent", "--connect-timeout", str(connect), "--max-time", "5"]
        curl += ["--header", f"Host: {host}", "--write-out", "\n%{http_code}"]
        body, _, status = cls.outside(*curl, f"http://{address}{path}").rpartition("\n")
        return int(status or 0), body

    @classmethod
    def address(cls, name: str = "web", namespace: str | None = None) -> str:
        """The Gateway's, as soon as it has one."""

        def assigned() -> str | None:
            addresses = cls.object("gateway", name, namespace).get("status", {}).get("addresses", [])
            return addresses[0]["value"] if addresses else None

        return cls.eventually(assigned, f"an address of Gateway {name}")

    @classmethod
    def serves(cls, address: str, host: str, path: str = "/", connect: float = 5) -> str:
        """Waits for the status 200, and returns the body."""

        def served() -> str | None:
            status, body = cls.get(address, host, path, connect)
            return body if status == 200 else None

        return cls.eventually(served, f"http://{host}{path} at {address} to be served")

    @classmethod
    def eventually(cls, ask: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
        """What `ask` answers, as soon as that is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := ask():
                return answer
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")

    @classmethod
    def rolled_out(cls, deployment: str, namespace: str | None = None) -> None:
        """Waits until there is a Deployment whose pods are as they should be, with no other left."""
        where = f"--namespace={namespace or cls.space}"
        cls.kubectl("wait", "--for=create", f"deployment/{deployment}", where, f"--timeout={SECONDS}s")
        cls.kubectl("rollout", "status", f"deployment/{deployment}", where, f"--timeout={SECONDS}s")

    @classmethod
    def restart(cls, deployment: str, namespace: str | None = None) -> None:
        cls.kubectl("rollout", "restart", f"deployment/{deployment}", f"--namespace={namespace or cls.space}")
        cls.rolled_out(deployment, namespace)

    @contextmanager
    def load(self, address: str, host: str, *arguments: str) -> Iterator[dict[str, Any]]:
        """Requests are sent while the block runs; none may fail. What they have counted is there after it."""
        command = [sys.executable, str(Path(__file__).with_name("load.py")), address, f"--host={host}", *arguments]
        # What a change does may come later than the change.
        with self.beside(command, "{answered} answered, {failed} failed, slowest {slowest} s", rest=2) as told:
            yield told
        self.assertEqual(told["failed"], 0, "\n".join(told["failures"]))
        self.assertGreater(told["answered"], 20)

    @contextmanager
    def beside(self, command: list[str], summary: str, rest: float) -> Iterator[dict[str, Any]]:
        """A command runs in the client's namespace while the block does and for `rest` seconds more, until its input ends. What
        it tells is there after that, and printed in the form of `summary` even if the block fails."""
        process = subprocess.Popen(
            in_namespace(self.layout.client_namespace, command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        told: dict[str, Any] = {}
        try:
            time.sleep(1)
            yield told
            time.sleep(rest)
        finally:
            output, errors = process.communicate(timeout=SECONDS)
            if process.returncode != 0:
                raise AssertionError(f"the load ended: {errors}")
            told |= json.loads(output)
            print(f"    {summary.format(**told, all=told)}", flush=True)

    def containers(self, pod: str, namespace: str) -> list[int]:
        """Process ids, on this machine, of a pod's containers; the first process of each."""
        uid = self.object("pod", pod, namespace)["metadata"]["uid"]
        return processes_of_pod(uid)

    @classmethod
    def conditions(cls, kind: str, name: str, namespace: str | None = None) -> list[Object]:
        """All conditions of an object, wherever in its status: its own, its listeners', its parents'."""
        return list(_conditions(cls.object(kind, name, namespace).get("status", {})))

    @classmethod
    def is_told(
        cls, kind: str, name: str, condition: str, status: str, reason: str = "", times: int = 1
    ) -> Object | None:
        """The condition of an object that has this type, status and reason; None unless there are so many."""
        found = [
            it
            for it in cls.conditions(kind, name)
            if (it["type"], it["status"]) == (condition, status) and reason in ("", it["reason"])
        ]
        return found[0] if len(found) >= times else None

    def lines(self) -> list[str]:
        """What all controllers that stand have logged so far."""
        pods = self.objects_of("pod", CONTROLLER, namespace=SYSTEM)
        logs = [self.kubectl("logs", pod["metadata"]["name"], f"--namespace={SYSTEM}") for pod in pods]
        return [line for log in logs for line in log.splitlines()]

    @contextmanager
    def watched(self) -> Iterator[Seen]:
        """What the controllers ask of the API server and log while the block runs."""
        since, lines = api.audited_so_far(self.layout), collections.Counter(self.lines())
        seen = Seen()
        yield seen
        seen.requests = api.audited(self.layout, since)
        seen.lines = list((collections.Counter(self.lines()) - lines).elements())

    def leader(self) -> str:
        """The name of the controller's pod that leads."""
        leases = self.objects_of("lease", namespace=SYSTEM)
        holders = [it["spec"].get("holderIdentity") or "" for it in leases]
        pods = [pod["metadata"]["name"] for pod in self.objects_of("pod", CONTROLLER, namespace=SYSTEM)]
        return next((pod for pod in pods if any(holder.startswith(pod) for holder in holders)), "")


def _conditions(status: Any) -> Iterator[Object]:
    if isinstance(status, dict):
        yield from status.get("conditions", [])
        status = list(status.values())
    if isinstance(status, list):
        for it in status:
            yield from _conditions(it) if not (isinstance(it, dict) and "lastTransitionTime" in it) else ()


def processes_of_pod(uid: str) -> list[int]:
    """Process ids, on this machine, of Portway's processes in a pod."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            if "portway" in (entry / "comm").read_text() and _is_of_pod(entry, uid):
                found.append(int(entry.name))
    return found


def _is_of_pod(process: Path, uid: str) -> bool:
    """By its control group, or by what is mounted in its containers: files of the pod, at places that do not tell so."""
    if uid in (process / "cgroup").read_text():
        return True
    mounts = (line.split() for line in (process / "mountinfo").read_text().splitlines())
    # Outside of the pod the same folders are seen at places that have the pod's identity in them.
    return any(uid in fields[3] and uid not in fields[4] for fields in mounts)


def memory(pid: int) -> dict[str, float]:
    """Megabytes of memory that a process holds: all, with its part of what it shares, and of its own."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss", "Pss_Anon", "Pss_File"):
            found[name] = int(rest.split()[0]) / 1024
    return found
