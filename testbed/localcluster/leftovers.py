"""What a cluster leaves on the machine besides its state directory, and how each is taken away."""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import suppress
from pathlib import Path

from . import node, processes
from .layout import ClusterError, Layout
from .processes import Process

MNT_DETACH = 2

# Where shims listen, whatever containerd's configuration says.
SHIM_SOCKETS = Path("/run/containerd/s")


def end_components(layout: Layout) -> None:
    """Ends everything that was started here."""
    processes.end(processes.noted(layout).values())


def end_containers(layout: Layout) -> None:
    """Ends what containerd started: its shims, told by the socket in their command line, and all below them."""
    shims = _shims(layout)
    sockets = [path for shim in shims for path in _listening_at(shim)]
    tree = [process for shim in shims for process in _descendants(shim)]
    # First the shims, so that nobody is left to start or to report anything.
    processes.end([*shims, *tree])
    for path in sockets:
        path.unlink(missing_ok=True)
    # Gone with the last shim of the last cluster.
    for folder in (SHIM_SOCKETS, SHIM_SOCKETS.parent):
        with suppress(OSError):
            folder.rmdir()


def unmount(layout: Layout) -> None:
    """Takes away every mount below the state directory: of containers, pods' volumes and their namespaces."""
    libc = ctypes.CDLL(None, use_errno=True)
    for mount in reversed(_mounts_below(layout.state)):
        if libc.umount2(os.fsencode(mount), MNT_DETACH) != 0 and mount.exists():
            raise ClusterError(f"cannot unmount {mount}: {os.strerror(ctypes.get_errno())}")


def remove_links(layout: Layout) -> None:
    """Takes away kubelet's links to its logs, which have a place of their own that cannot be configured."""
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and layout.state in Path(os.readlink(link)).parents:
            link.unlink()
    with suppress(OSError):
        Path("/var/log/containers").rmdir()


def remove_network_results(layout: Layout) -> None:
    """Takes away the notes that containerd's CNI library has in a common folder, named by pods' ids."""
    folder = Path("/var/lib/cni/results")
    for pod in _container_ids(layout):
        for note in folder.glob(f"*-{pod}-*"):
            note.unlink()
    for empty in (folder, folder.parent):
        with suppress(OSError):
            empty.rmdir()


def remove_control_groups(layout: Layout) -> None:
    """Takes away the control groups of the containers, which are named by the containers' ids."""
    ids = _container_ids(layout)
    for hierarchy in Path("/sys/fs/cgroup").glob("**/k8s.io"):
        for group in (hierarchy / identifier for identifier in ids):
            _remove_control_group(group)
        # Gone with the last container of the last cluster, and of whatever else uses that name.
        with suppress(OSError):
            hierarchy.rmdir()


def _shims(layout: Layout) -> list[Process]:
    sockets = {str(node.socket(layout, number)) for number in layout.node_numbers}
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            is_ours = Path(arguments[0]).name.startswith("containerd-shim") and sockets.intersection(arguments)
            if is_ours and (process := Process.find(int(entry.name))):
                found.append(process)
    return found


def _listening_at(shim: Process) -> list[Path]:
    """The sockets in the common folder that a shim has open."""
    held = set()
    with suppress(OSError):
        for handle in Path(f"/proc/{shim.pid}/fd").iterdir():
            with suppress(OSError):
                held.add(os.readlink(handle))
        # Columns: number, references, protocol, flags, type, state, inode, path.
        rows = [line.split() for line in Path(f"/proc/{shim.pid}/net/unix").read_text().splitlines()]
        return [
            path
            for row in rows
            if len(row) == 8 and f"socket:[{row[6]}]" in held and (path := Path(row[7])).parent == SHIM_SOCKETS
        ]
    return []


def _descendants(process: Process) -> list[Process]:
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                if it := Process.find(int(child)):
                    found += [it, *_descendants(it)]
    return found


def _mounts_below(directory: Path) -> list[Path]:
    """In the order in which they were mounted."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # Blanks and the like are written as octal numbers.
        place = Path(line.split()[4].encode().decode("unicode_escape"))
        if directory in place.parents:
            found.append(place)
    return found


def _container_ids(layout: Layout) -> set[str]:
    """Of all containers and pods that there are, running or not."""
    folders = (
        "containerd-state/io.containerd.runtime.v2.task/k8s.io",
        "containerd/io.containerd.grpc.v1.cri/sandboxes",
        "containerd/io.containerd.grpc.v1.cri/containers",
    )
    states = map(layout.node_state, layout.node_numbers)
    return {path.name for state in states for folder in folders for path in (state / folder).glob("*")}


def _remove_control_group(group: Path) -> None:
    deadline = time.monotonic() + 5
    while group.is_dir():
        for below in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                below.rmdir()
        try:
            group.rmdir()
        except OSError as error:
            # A process that was killed stays in its group for a moment.
            if time.monotonic() > deadline:
                raise ClusterError(f"cannot remove the control group {group}: {error}") from error
            time.sleep(0.02)
