"""The load generators of layer 4, and what counts as an error in what they print."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from .host import Host
from .scenario import CONNECTIONS, DATAGRAMS, STREAM, L4Scenario, Service
from .servers import L4Tools

SECONDS_TO_END = 10.0
SERVER_BUSY = "the server is busy running a test"


class LoadFailure(RuntimeError):
    """A load generator did not do what it should; the message says what it said."""


class ServerBusy(LoadFailure):
    """The server has not finished with the one before: iperf3's serves one client at a time."""


class Load:
    """A load generator under way, for some seconds."""

    def __init__(
        self, scenario: L4Scenario, tools: L4Tools, client: Host, address: str, seconds: float, directory: Path
    ) -> None:
        argv, self._errors_in = GENERATORS[scenario.service]
        self._output = directory / f"{scenario.name}.out"
        with self._output.open("wb") as output:
            log = directory / f"{scenario.name}.log"
            self._process = client.start(argv(scenario, tools, address, seconds), log, stdout=output.fileno())

    def is_running(self) -> bool:
        return self._process.is_running()

    def errors(self) -> int:
        """Waits for the end; returns how many errors there were. Raises `LoadFailure` where it cannot be told."""
        self._process.wait(SECONDS_TO_END)
        text = self._output.read_text(errors="replace")
        try:
            return self._errors_in(text)
        except (LookupError, ValueError) as error:
            if SERVER_BUSY in text:
                raise ServerBusy(SERVER_BUSY) from error
            said = " ".join(text.split())[-200:] or self._process.last_words()
            raise LoadFailure(f"the load generator failed: {said}") from error

    def stop(self) -> None:
        self._process.stop()


def _iperf3(_scenario: L4Scenario, tools: L4Tools, address: str, seconds: float) -> list[str]:
    """From server to client, as most bytes go."""
    options = ["--reverse", "--parallel=4", f"--time={round(seconds)}", "--connect-timeout=2000", "--json"]
    return [tools.iperf3, f"--client={address}", f"--port={STREAM.port}", *options]


def iperf3_errors(text: str) -> int:
    report = json.loads(text)
    if "error" in report:
        raise ValueError(report["error"])
    return 0 if report["end"]["sum_received"]["bytes"] > 0 else 1


def _wrk(_scenario: L4Scenario, tools: L4Tools, address: str, seconds: float) -> list[str]:
    """The server says that the connection ends, so wrk ends it, and opens another for the next request."""
    options = ["--threads=1", "--connections=32", f"--duration={round(seconds)}s", "--timeout=5s"]
    return [tools.wrk, *options, f"http://{address}:{CONNECTIONS.port}/"]


def wrk_errors(text: str) -> int:
    """What fails on either side, or is answered otherwise, is an error."""
    if not re.search(r"\d+ requests in ", text):
        raise ValueError(text)
    found = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    other = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return (sum(map(int, found.groups())) if found else 0) + (int(other.group(1)) if other else 0)


def _bounce(scenario: L4Scenario, tools: L4Tools, address: str, seconds: float) -> list[str]:
    return [tools.bounce, "ask", address, str(DATAGRAMS.port), str(seconds), str(scenario.datagram)]


def bounce_errors(text: str) -> int:
    """Lost datagrams are no errors, for any network may lose some; but each time that all were lost is one."""
    found = re.search(r"(\d+) came back, began anew (\d+) times", text)
    if not found:
        raise ValueError(text)
    return int(found.group(2))


GENERATORS: dict[Service, tuple[Callable[[L4Scenario, L4Tools, str, float], list[str]], Callable[[str], int]]] = {
    STREAM: (_iperf3, iperf3_errors),
    CONNECTIONS: (_wrk, wrk_errors),
    DATAGRAMS: (_bounce, bounce_errors),
}
