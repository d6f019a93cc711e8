"""The command line of testbed/image."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import images
from .layout import ClusterError


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="testbed/image",
        description="Makes an image archive out of programs of this machine, with the libraries that they need.",
        epilog="Example: testbed/image --name portway:dev --entrypoint /portway --output p.tar target/release/portway",
    )
    parser.add_argument("--name", action="append", required=True, help="name and tag; may be given again")
    parser.add_argument("--entrypoint", required=True, help="what the image runs, split at blanks")
    parser.add_argument("--user", default="", help="uid or uid:gid; root if it is not given")
    parser.add_argument("--port", action="append", default=[], help="documents a port, such as 80/tcp")
    parser.add_argument("--output", type=Path, required=True, help="the archive")
    parser.add_argument("program", nargs="+", help="a file, and after a colon where it is inside, else in /")
    asked = parser.parse_args(arguments)
    programs = {}
    for given in asked.program:
        source, _, inside = given.partition(":")
        programs[inside or f"/{Path(source).name}"] = Path(source)
    try:
        entrypoint = asked.entrypoint.split()
        image = images.Image(asked.name, entrypoint, programs, asked.user, asked.port)
        images.write(image, asked.output)
    except (ClusterError, OSError) as error:
        print(f"testbed/image: {error}", file=sys.stderr)
        return 1
    return 0
