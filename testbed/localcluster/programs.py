"""Where the programs and images are that `testbed/build` made."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from .layout import ClusterError

ROOT = Path(__file__).resolve().parent.parent.parent

# What is built for the conformance tests alone.
OF_CONFORMANCE = ("conformance", "authserver")

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
    """One of kube, kubectl, helm, coredns, echo-basic, pause, conformance and authserver."""
    return _built(_folder_of(name) / "bin" / name)


def image(name: str) -> Path:
    """The archive of one of the images pause, coredns, echo-basic and authserver."""
    return _built(_folder_of(name) / "images" / f"{name}.tar")


def _folder_of(name: str) -> Path:
    return setting("PORTWAY_CONFORMANCE") if name in OF_CONFORMANCE else folder()


def _built(path: Path) -> Path:
    if not path.exists():
        raise ClusterError(f"{path.name} is not built yet: testbed/build")
    return path
