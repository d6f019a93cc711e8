"""Where the programs and images are that `testbed/build` made."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from .layout import ClusterError

ROOT = Path(__file__).resolve().parent.parent.parent

# Debian's, of containernetworking-plugins.
CNI_PLUGINS = Path("/usr/lib/cni")


@cache
def setting(name: str) -> Path:
    """A path out of tools/env.sh."""
    if value := os.environ.get(name):
        return Path(value)
    script = '. "$1/tools/env.sh"; printf %s "${!2}"'
    return Path(subprocess.check_output(["bash", "-c", script, "bash", str(ROOT), name], text=True))


def folder() -> Path:
    """What `testbed/build` made out of the sources as they are now."""
    return setting("PORTWAY_TESTBED")


def program(name: str) -> Path:
    """One of kube, kubectl, helm, coredns, echo-basic, conformance and pause."""
    return _built(folder() / "bin" / name)


def image(name: str) -> Path:
    """The archive of one of the images pause, coredns and echo-basic."""
    return _built(folder() / "images" / f"{name}.tar")


def _built(path: Path) -> Path:
    if not path.exists():
        raise ClusterError(f"{path.name} is not built yet: testbed/build")
    return path
