"""Requests from outside, to see what is served."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence

from localcluster import network
from localcluster.layout import Layout

SECONDS = 600.0
PAUSE = 0.002


class Probe:
    """One connection from the outside client to a Gateway."""

    def __init__(self, layout: Layout, address: str) -> None:
        self._layout, self._address = layout, address
        self._connection: http.client.HTTPConnection | None = None

    def get(self, host: str) -> tuple[int, str, str]:
        """Status, mark and body; status 0 where nothing answers."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._address, 80)
                self._connection.sock = network.connect(
                    self._layout.client_namespace, (self._address, 80), timeout=10
                )
            self._connection.request("GET", "/", headers={"Host": host})
            response = self._connection.getresponse()
            body = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            self._connection = None
            return 0, "", ""
        if response.will_close:
            self._connection = None
        return response.status, response.getheader("x-mark", ""), body

    def all_serve(self, hosts: Sequence[str]) -> float:
        """Waits until each has answered with 200; returns when the last one did."""
        waiting, last = list(hosts), time.monotonic()
        end = last + SECONDS
        while waiting and time.monotonic() < end:
            still = []
            for host in waiting:
                if self.get(host)[0] == 200:
                    last = time.monotonic()
                else:
                    still.append(host)
            if len(still) == len(waiting):
                time.sleep(0.05)
            waiting = still
        if waiting:
            raise TimeoutError(f"{len(waiting)} routes are not served, {waiting[0]} among them")
        return last

    def until(self, host: str, is_there: Callable[[str, str], bool]) -> float:
        """Asks until an answer's mark and body are as they should be; returns when that was."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            status, mark, body = self.get(host)
            if status == 200 and is_there(mark, body):
                return time.monotonic()
            time.sleep(PAUSE)
        raise TimeoutError(f"a change of {host} is not served")
