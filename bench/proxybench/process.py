"""A process under measurement: started on given cores, read from /proc, and ended by its own id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

SECONDS_TO_END = 3.0


def pinned(cores: Sequence[int], argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` on `cores` only and is told to end should the harness itself be killed."""
    core_list = ",".join(map(str, cores))
    return ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", core_list, *argv]


class Process:
    """A child process and everything it starts."""

    def __init__(
        self,
        argv: Sequence[str],
        cores: Sequence[int],
        errors: Path,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts `argv` on `cores`; standard error goes to the file `errors`.

        It gets a session of its own, so that Ctrl-C in the terminal reaches the harness alone, which then ends it.
        """
        self.errors = errors
        with errors.open("wb") as error_file:
            self._child = subprocess.Popen(
                pinned(cores, argv),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=error_file,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def stdout(self) -> IO[bytes]:
        assert self._child.stdout is not None, "started with stdout=PIPE"
        return self._child.stdout

    def is_running(self) -> bool:
        return self._child.poll() is None

    def wait(self, seconds: float) -> int:
        """Waits for the end of the process and returns its exit status."""
        return self._child.wait(seconds)

    def last_words(self) -> str:
        """The end of what it wrote to standard error, to say why it failed."""
        lines = self.errors.read_text(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it wrote nothing to standard error"

    def tree(self) -> list[int]:
        """The ids of the process and all its descendants."""
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            fields = _read(stat).rpartition(")")[2].split()
            if len(fields) > 1:
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found = [self._child.pid]
        for pid in found:
            found.extend(children.get(pid, []))
        return found

    def stop(self) -> None:
        """Ends the process, and by force what is left of it after a grace period."""
        tree = self.tree() if self.is_running() else []
        if self.is_running():
            self._child.terminate()
            try:
                self._child.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        for pid in tree[1:]:
            self._end_orphan(pid)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _end_orphan(self, pid: int) -> None:
        """Ends a descendant that outlived its parent, and waits until it is gone.

        The id may have gone to another process meanwhile: only one of the session that was started here is ours.
        """
        deadline = time.monotonic() + SECONDS_TO_END
        while time.monotonic() < deadline:
            state, session = _state_and_session(pid)
            if state in ("", "Z", "X") or session != self._child.pid:
                return
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)


def cpu_nanoseconds(pids: Sequence[int]) -> int:
    """CPU time that all threads of the processes have used, from the scheduler's own nanosecond account."""
    accounts = [_read(file) for pid in pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(account.split()[0]) for account in accounts if account)


def resident_bytes(pids: Sequence[int]) -> int:
    """Resident memory of a process tree; pages that its processes share with each other are counted once.

    For a single process that is its RSS. For several it is their private pages and the largest shared set among them.
    """
    private = shared = 0
    for pid in pids:
        kilobytes: dict[str, int] = {}
        for line in _read(Path(f"/proc/{pid}/smaps_rollup")).splitlines()[1:]:
            name, value = line.split()[:2]
            kilobytes[name] = int(value)
        private += kilobytes.get("Private_Clean:", 0) + kilobytes.get("Private_Dirty:", 0)
        shared = max(shared, kilobytes.get("Shared_Clean:", 0) + kilobytes.get("Shared_Dirty:", 0))
    return (private + shared) * 1024


def _state_and_session(pid: int) -> tuple[str, int]:
    """The process's state letter and session; an empty state where there is no such process."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (fields[0], int(fields[3])) if fields else ("", 0)


def _read(path: Path) -> str:
    """The file's text, empty where the process has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""
