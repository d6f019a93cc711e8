"""Does a proxy do what it is measured for? Asked with curl before anything is measured."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .load import Target
from .scenario import DOMAIN, Protocol

CURL_OPTIONS = {
    Protocol.H1: ["--http1.1"],
    Protocol.H2C: ["--http2-prior-knowledge"],
    Protocol.H1_TLS: ["--http1.1"],
    Protocol.H2_TLS: ["--http2"],
}
CURL_VERSION = {Protocol.H1: "1.1", Protocol.H2C: "2", Protocol.H1_TLS: "1.1", Protocol.H2_TLS: "2"}


class WrongAnswer(Exception):
    """The proxy answered, but not what it should have."""


def answers_right(target: Target, matches_routes: bool, directory: Path) -> None:
    """Raises `WrongAnswer` unless routes yield the backend's body, and a path and a host without route yield 404."""
    scenario = target.scenario
    first, last = scenario.paths()[0], scenario.paths()[-1]
    for path in (first, last):
        _expect_body(target, scenario.url(path), directory / "body")
    if matches_routes:
        _expect_not_found(target, scenario.url("/no-such-route/1"))
        _expect_not_found(target, scenario.url(first).replace(scenario.routes.requested_host(), f"other.{DOMAIN}"))


def _expect_body(target: Target, url: str, body_file: Path) -> None:
    status, version = _curl(target, url, body_file)
    if status != "200":
        raise WrongAnswer(f"{url} was answered with status {status} instead of 200")
    if version != CURL_VERSION[target.scenario.protocol]:
        raise WrongAnswer(f"{url} was answered in HTTP/{version}")
    body = body_file.read_bytes()
    if body != b"x" * target.scenario.body:
        raise WrongAnswer(f"{url} was answered with {len(body)} bytes, not the {target.scenario.body} of the backend")


def _expect_not_found(target: Target, url: str) -> None:
    status, _ = _curl(target, url, Path("/dev/null"))
    if status != "404":
        raise WrongAnswer(f"{url}, for which there is no route, was answered with status {status} instead of 404")


def _curl(target: Target, url: str, body_file: Path) -> tuple[str, str]:
    """Status and HTTP version of the answer. Raises `ConnectionError` where there is none."""
    argv = [
        *["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "5", "--output", str(body_file)],
        *["--write-out", "%{http_code} %{http_version}", "--connect-to", f"::127.0.0.1:{target.port}"],
        *["--cacert", str(target.certificate.certificate), *CURL_OPTIONS[target.scenario.protocol], url],
    ]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ConnectionError(result.stderr.strip())
    status, version = result.stdout.split()
    return status, version
