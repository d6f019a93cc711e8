"""Processes that outlive the command that started them: started in a network namespace, found again by what they
wrote down of themselves, and ended by it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .layout import ClusterError, Layout

# Notes the process's own line of /proc, pid and start time in it, before it becomes the program: so there is no
# moment in which it runs unknown. exec changes neither.
NOTE_AND_EXEC = 'read -r stat </proc/$$/stat && echo "$stat" >"$0" && exec "$@"'


@dataclass(frozen=True)
class Process:
    """A process as the kernel tells it from any later one of the same number."""

    pid: int
    # Clock ticks since boot.
    started: int

    @classmethod
    def parse(cls, stat: str) -> Process:
        # The name, in parentheses, may hold anything; the start time is field 22, the name field 2.
        return cls(int(stat.split(" ", 1)[0]), int(stat.rsplit(")", 1)[1].split()[19]))

    @classmethod
    def find(cls, pid: int) -> Process | None:
        """The process that has this number now, if it runs."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state = stat.rsplit(")", 1)[1].split()[0]
        return None if state in "ZX" and not _has_other_threads(pid) else cls.parse(stat)

    def runs(self) -> bool:
        return self.find(self.pid) == self

    def signal(self, number: int) -> None:
        """Sends a signal, to this process and not to one that has its number by now."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                if self.runs():
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)


def _has_other_threads(pid: int) -> bool:
    """Whether a process whose first thread has ended has others, which hold its sockets until they have ended too."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    return False


def in_namespace(namespace: str, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` in a network namespace.

    Not by `ip netns exec`, which mounts another /sys, without the control groups that kubelet needs.
    """
    return ["nsenter", f"--net=/run/netns/{namespace}", *argv]


def run(argv: Sequence[str], stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, and not beyond the end of this process, even by SIGKILL."""
    tied = ["setpriv", "--pdeathsig", "KILL", *argv]
    return subprocess.run(tied, input=stdin, text=True, capture_output=True)


def spawn(layout: Layout, namespace: str, component: str, argv: Sequence[str | Path]) -> None:
    """Starts a component in the background; its log and its note are under its name in the state directory."""
    command = in_namespace(namespace, [str(argument) for argument in argv])
    commands = layout.state / "commands"
    commands.mkdir(exist_ok=True)
    (commands / component).write_text(json.dumps(command))
    _spawn(layout, component, command)


def stop(layout: Layout, component: str) -> None:
    """Ends a component as if it had crashed; what it was is kept, for `start`."""
    end([process for name, process in noted(layout).items() if name == _known(layout, component)])


def start(layout: Layout, component: str) -> None:
    """Starts a component that was stopped, as it was."""
    known = _known(layout, component)
    process = noted(layout).get(known)
    if process and process.runs():
        raise ClusterError(f"{component} runs already")
    _spawn(layout, known, json.loads((layout.state / "commands" / known).read_text()))


def restart(layout: Layout, component: str) -> None:
    """Ends a component as if it had crashed, and starts it as it was."""
    stop(layout, component)
    start(layout, component)


def _known(layout: Layout, component: str) -> str:
    known = sorted(path.name for path in (layout.state / "commands").iterdir())
    if component not in known:
        raise ClusterError(f"there is no component {component}, but {', '.join(known)}")
    return component


def _spawn(layout: Layout, component: str, command: Sequence[str]) -> None:
    notes = layout.state / "processes"
    notes.mkdir(exist_ok=True)
    layout.logs.mkdir(exist_ok=True)
    note = notes / component
    note.unlink(missing_ok=True)
    with (layout.logs / f"{component}.log").open("ab") as log:
        child = subprocess.Popen(
            ["/bin/sh", "-c", NOTE_AND_EXEC, str(note), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    # So that whoever comes next finds it.
    while child.poll() is None and not (note.exists() and note.read_text()):
        time.sleep(0.001)


def noted(layout: Layout) -> dict[str, Process]:
    """Every component that was started, running or not."""
    found = {}
    for note in sorted((layout.state / "processes").glob("*")):
        # An empty note is one of a process that has not come to writing it.
        if stat := note.read_text():
            found[note.name] = Process.parse(stat)
    return found


def ended(layout: Layout) -> list[str]:
    """The components that have ended, which none should."""
    return [name for name, process in noted(layout).items() if not process.runs()]


def last_words(layout: Layout, component: str, lines: int = 15) -> str:
    """The end of a component's log."""
    log = layout.logs / f"{component}.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def check(layout: Layout) -> None:
    """Raises if a component has ended, with the end of its log."""
    for component in ended(layout):
        raise ClusterError(f"{component} has ended. The end of its log:\n{last_words(layout, component)}")


def end(processes: Iterable[Process], seconds: float = 10.0) -> None:
    """Ends processes by SIGKILL, and waits until they are gone. Nothing of a cluster is worth saving."""
    left = list(processes)
    deadline = time.monotonic() + seconds
    for process in left:
        process.signal(signal.SIGKILL)
    while left := [process for process in left if process.runs()]:
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in left)
            raise ClusterError(f"processes {pids} do not end, not even by SIGKILL")
        time.sleep(0.01)
