"""What a cluster could leave on the machine, and commands of the testbed."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from localcluster.layout import CLUSTERS

TESTBED = Path(__file__).resolve().parent.parent
SECONDS = 150


def cluster(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs testbed/cluster to its end, whatever that is."""
    return subprocess.run(
        [TESTBED / "cluster", *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, **(environment or {})},
    )


def succeed(*arguments: str) -> str:
    """The same, and what it prints; raises unless it succeeds."""
    done = cluster(*arguments)
    if done.returncode != 0:
        raise AssertionError(f"cluster {' '.join(arguments)} failed:\n{done.stderr}{done.stdout}")
    return done.stdout


def traces(name: str) -> list[str]:
    """Everything on this machine that is of the cluster `name`."""
    state = CLUSTERS / name
    found = [f"namespace {path.name}" for path in Path("/run/netns").glob(f"{name}-*")]
    found += [f"mount {place}" for place in _mounts() if str(place).startswith(f"{state}/")]
    found += [f"process {command}" for command in _commands() if f"{state}/" in command]
    links = Path("/var/log/containers").glob("*")
    found += [f"link {link}" for link in links if str(state) in os.readlink(link)]
    return found + ([f"directory {state}"] if state.exists() else [])


def common_places() -> set[str]:
    """What there is in places that clusters have in common with each other and with the machine."""
    places = ["/run/containerd", "/run/netns", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/cni"]
    places += ["/etc/cni", "/opt", "/var/log/containers", "/var/log/pods", "/etc/kubernetes", "/usr/libexec/kubernetes"]
    found = {str(path) for place in places for path in [Path(place), *Path(place).rglob("*")] if path.exists()}
    found |= {str(path) for path in Path("/sys/class/net").iterdir()}
    return found | {str(path) for path in Path("/sys/fs/cgroup").rglob("*") if path.is_dir()}


def _mounts() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _commands() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found
