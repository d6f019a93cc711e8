"""Image archives out of programs of this machine, for `ctr images import` and `docker load`; no daemon is needed.

The same files give the same archive, byte for byte.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .layout import ClusterError

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# The authorities that this machine trusts, where Debian keeps them and most programs look.
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

PASSWD = "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
GROUP = "root:x:0:\nnogroup:x:65534:\n"


@dataclass(frozen=True)
class Image:
    """What an image is to hold."""

    # All names that it has.
    names: Sequence[str]
    entrypoint: Sequence[str]
    # Programs by their path inside; what they are linked to comes along.
    programs: dict[str, Path]
    # As in an image's configuration: uid or uid:gid; empty is root.
    user: str = ""
    ports: Sequence[str] = field(default_factory=tuple)


def write(image: Image, archive: Path) -> None:
    """Writes the archive, so that it is there wholly or not at all."""
    layer = _layer(image)
    config = json.dumps(_config(image, _sha256(layer)), indent=1).encode()
    config_name, layer_name = f"{_sha256(config)}.json", f"{_sha256(layer)}/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": list(image.names), "Layers": [layer_name]}]
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_name(archive.name + ".unfinished")
    with tarfile.open(unfinished, "w") as tar:
        _add(tar, layer_name, layer)
        _add(tar, config_name, config)
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    unfinished.rename(archive)


def _config(image: Image, layer: str) -> object:
    settings = {
        "Entrypoint": list(image.entrypoint),
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/"],
        "User": image.user,
        "WorkingDir": "/",
        "ExposedPorts": {port: {} for port in image.ports},
    }
    return {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
    }


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for directory, mode in (("etc", 0o755), ("etc/ssl", 0o755), ("etc/ssl/certs", 0o755), ("tmp", 0o1777)):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        _add(tar, "etc/passwd", PASSWD.encode())
        _add(tar, "etc/group", GROUP.encode())
        if CA_BUNDLE.exists():
            _add(tar, str(CA_BUNDLE).lstrip("/"), CA_BUNDLE.read_bytes())
        files = dict(image.programs)
        for source in image.programs.values():
            files |= linked(source)
        for inside, source in sorted(files.items()):
            _add(tar, inside.lstrip("/"), source.read_bytes(), stat.S_IMODE(source.stat().st_mode) | 0o555)
    return buffer.getvalue()


def linked(program: Path) -> dict[str, Path]:
    """The loader and the shared libraries that a program needs, by the paths under which it looks for them."""
    if not _interpreter(program):
        return {}
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    if done.returncode != 0 or "not found" in done.stdout:
        raise ClusterError(f"{program} lacks libraries here: {(done.stdout + done.stderr).strip()}")
    # `libm.so.6 => /lib/libm.so.6 (0x…)`, or the loader alone: `/lib64/ld-linux-x86-64.so.2 (0x…)`.
    paths = re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", done.stdout, re.MULTILINE)
    return {path: Path(path).resolve() for path in paths}


def _interpreter(program: Path) -> bool:
    """Whether a program asks for a loader: one that is linked statically does not."""
    done = subprocess.run(["readelf", "--wide", "--program-headers", str(program)], capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError(f"{program} is no program: {done.stderr.strip()}")
    return " INTERP " in done.stdout


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
