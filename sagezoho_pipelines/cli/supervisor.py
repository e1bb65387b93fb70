"""Keeps commands running: what dies is started again, later each time, and all of it ends together."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sagezoho_pipelines.cli import processes
from sagezoho_pipelines.cli.tether import STOP_SECONDS, tethered

#: A child that dies is started again after this long, then twice as long, up to the longest.
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
#: One that has lived this long is well again: its next death is its first.
WELL_SECONDS = 60.0
_LOOK_SECONDS = 0.2


@dataclass
class Child:
    """A command, and its process while it lives."""

    name: str
    command: Sequence[str]
    deaths: int = 0
    began: float = 0.0
    due: float = 0.0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)


class Supervisor:
    """Runs children, each in a session of its own, until a signal ends them all. `told` says what happens to them.

    Each is tethered: should we be killed outright, it ends by itself.
    """

    def __init__(self, children: Sequence[Child], *, env: Mapping[str, str], told: Callable[[str], None]) -> None:
        self._children = children
        self._env = dict(env)
        self._told = told

    def run(self) -> None:
        """Until SIGTERM or Ctrl-C. Neither interrupts what is done here: no process is started and then forgotten."""
        with processes.noted_signals() as asked_to_stop:
            try:
                while not asked_to_stop():
                    for child in self._children:
                        self._look_after(child, time.monotonic())
                    time.sleep(_LOOK_SECONDS)
            finally:
                processes.end(*(c.process for c in self._children if c.process is not None), seconds=STOP_SECONDS)

    def _look_after(self, child: Child, now: float) -> None:
        if child.process is None:
            if now >= child.due:
                self._start(child, now)
            return
        code = child.process.poll()
        if code is None:
            return
        processes.end(child.process, seconds=0)  # what it started itself may have outlived it, and would be in the way
        child.process = None
        child.deaths = 1 if now - child.began >= WELL_SECONDS else child.deaths + 1
        pause = min(PAUSE_SECONDS * 2 ** (child.deaths - 1), LONGEST_PAUSE_SECONDS)
        child.due = now + pause
        self._told(f"{child.name} ended ({_reason(code)}); it is started again in {pause:g} s.")

    def _start(self, child: Child, now: float) -> None:
        child.process = subprocess.Popen(
            tethered(child.command), env=self._env, stdin=subprocess.PIPE, start_new_session=True
        )
        child.began = now
        self._told(f"{child.name}: process {child.process.pid}")


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
