"""Child processes that never outlive the command: each in a session of its own, ended as a whole group."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import SagezohoError

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


@contextmanager
def child(command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in its own session: a Ctrl-C in the terminal reaches only us, and we end the whole group."""
    process = subprocess.Popen(command, env=dict(env), start_new_session=True, **options)
    try:
        yield process
    finally:
        end(process)


def end(*group: subprocess.Popen[bytes], seconds: float = _STOP_SECONDS) -> None:
    """SIGTERM to the group of each, time to finish for all together, then SIGKILL to whatever is left of them."""
    for process in group:
        _signal(process, signal.SIGTERM)
    until = time.monotonic() + seconds
    for process in group:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(until - time.monotonic(), 0))
    for process in group:
        _signal(process, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


@contextmanager
def served_sandbox(log: Path, *arguments: str) -> Iterator[dict[str, dict[str, str]]]:
    """A sandbox in a child process: yields its addresses and credentials.

    It holds the reading end of a pipe from us, and ends when that closes: also when we are killed outright.
    """
    command = [
        sys.executable, "-m", "sagezoho_pipelines.cli.main", "sandbox", "--json", "--while-stdin-is-open", *arguments,
    ]  # fmt: skip
    with (
        log.open("wb") as errors,
        child(command, env=os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        if process.stdout is None:
            raise AssertionError("stdout is a pipe")
        line = _first_line(process.stdout)
        if not line:
            raise SagezohoError(f"The sandbox did not start. What it said is in {log}.")
        told: dict[str, dict[str, str]] = json.loads(line)
        yield told


@contextmanager
def interruptible(*, repeatedly: bool = False) -> Iterator[None]:
    """SIGTERM is handled like Ctrl-C inside the block: what was started is ended, then the command ends.

    A second signal does nothing, so that it cannot cut the cleaning up short, unless `repeatedly`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def interrupt(*_: object) -> None:
        for number in () if repeatedly else before:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in before:  # SIGINT too: a shell's background jobs are started with it ignored
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def noted_signals() -> Iterator[Callable[[], bool]]:
    """SIGTERM and Ctrl-C interrupt nothing inside the block; what it yields tells whether one has come."""
    noted: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda number, _: noted.append(number))
    try:
        yield lambda: bool(noted)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def sole_user(home: Path, what: str) -> Iterator[None]:
    """Only one command at a time works on `home`. Raises SagezohoError when another one does."""
    try:
        import fcntl
    except ImportError:  # Windows: the data is not guarded there
        yield
        return
    with (home / ".in-use").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SagezohoError(
                f"Another 'sagezoho demo' or 'sagezoho dev' works on {home}. End it first, or {what} elsewhere by "
                "setting SAGEZOHO_HOME."
            ) from None
        yield


def _first_line(stream: IO[bytes]) -> bytes:
    """Its first line, or nothing if none comes in time."""
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(_START_SECONDS)
    return found[0] if found else b""


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.terminate()
