"""Taking a name and a number for a new cluster, and giving them back."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from .layout import CLUSTERS, MAX_CLUSTERS, MAX_NODES, ClusterError, Layout

# Short, since unix sockets in the state directory may have paths of 107 bytes at most.
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


def claim(name: str, nodes: int) -> Layout:
    """Makes the state directory of a new cluster, with the lowest number that no other cluster has."""
    check_name(name)
    if not 1 <= nodes <= MAX_NODES:
        raise ClusterError(f"{nodes} nodes: between 1 and {MAX_NODES} can be had")
    with _lock():
        directory = CLUSTERS / name
        if directory.exists():
            raise ClusterError(f"there is a cluster {name} already, or what is left of one: cluster down --name {name}")
        taken = {layout.number for layout in standing()}
        number = next((number for number in range(MAX_CLUSTERS) if number not in taken), None)
        if number is None:
            raise ClusterError(f"{MAX_CLUSTERS} clusters stand already: `cluster list` names them")
        directory.mkdir(mode=0o700)
        layout = Layout(name, number, nodes)
        layout.save()
        return layout


def release(name: str) -> None:
    """Removes the state directory, which is the last that is left of a cluster."""
    with _lock():
        if (CLUSTERS / name).exists():
            shutil.rmtree(CLUSTERS / name)


def standing() -> list[Layout]:
    """Every cluster that has a state directory."""
    if not CLUSTERS.is_dir():
        return []
    names = sorted(path.name for path in CLUSTERS.iterdir() if path.is_dir())
    return [layout for name in names if (layout := Layout.load(name))]


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ClusterError(f"{name!r} cannot name a cluster: up to 32 of a-z, 0-9 and -, a letter first")


@contextmanager
def _lock() -> Iterator[None]:
    CLUSTERS.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (CLUSTERS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
