"""Everything that can be told after a test has failed."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from .api import kubectl_command
from .layout import Layout

# What to ask of the API server, by the file that the answer goes to. Secrets are left out.
QUESTIONS = {
    "nodes.txt": ["describe", "nodes"],
    "pods.txt": ["get", "pods", "--all-namespaces", "--output=wide"],
    "pods.yaml": ["get", "pods", "--all-namespaces", "--output=yaml"],
    "events.txt": ["get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"],
    "workloads.yaml": ["get", "deployments,daemonsets,jobs", "--all-namespaces", "--output=yaml"],
    "services.yaml": ["get", "services,endpointslices", "--all-namespaces", "--output=yaml"],
}


def collect(layout: Layout, target: Path) -> None:
    """Copies the logs of every component and pod, and what the API server knows, as far as they can be had."""
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(layout.logs, target / "components", dirs_exist_ok=True)
    for node in layout.node_numbers:
        _copy_pods(layout, node, target / "pods")
    questions = dict(QUESTIONS)
    for resource in _gateway_resources(layout):
        questions[f"{resource}.yaml"] = ["get", resource, "--all-namespaces", "--output=yaml"]
    for name, arguments in questions.items():
        with (target / name).open("wb") as output:
            subprocess.run(kubectl_command(layout, arguments), stdout=output, stderr=subprocess.STDOUT, timeout=30)


def _copy_pods(layout: Layout, node: int, target: Path) -> None:
    """kubelet's folders are NAMESPACE_POD_UID/CONTAINER/COUNT.log."""
    for log in (layout.node_state(node) / "pods").glob("*/*/*"):
        place = target / log.relative_to(layout.node_state(node) / "pods")
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(log, place)


def keep_pods(layout: Layout, target: Path) -> None:
    """Makes the logs of all pods of this moment outlive these, by giving each file a second name.

    kubelet deletes the logs of a pod with it. Called now and then, this loses none but those of pods that come and
    go in between. `target` must be on the file system of the state directory.
    """
    for node in layout.node_numbers:
        pods = layout.node_state(node) / "pods"
        for log in pods.glob("*/*/*"):
            place = target / log.relative_to(pods)
            with suppress(FileExistsError, FileNotFoundError):
                place.parent.mkdir(parents=True, exist_ok=True)
                os.link(log, place)


def _gateway_resources(layout: Layout) -> list[str]:
    found = []
    for group in ("gateway.networking.k8s.io", "gateway.networking.x-k8s.io", "portway.dev"):
        command = kubectl_command(layout, ["api-resources", f"--api-group={group}", "--output=name"])
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
        found += done.stdout.split()
    return found
