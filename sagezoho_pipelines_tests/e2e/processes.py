"""The command as a process of its own, and what is left of it."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sagezoho_pipelines_tests.waiting import eventually

COMMAND = (sys.executable, "-m", "sagezoho_pipelines.cli.main")


def environment(tmp_path: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SAGEZOHO_", "DAGSTER_"))}
    return {**ours, "SAGEZOHO_HOME": str(tmp_path / "home")}


def processes_in(place: Path) -> list[str]:
    """Living processes that work in a directory or name it; where there is no /proc, none can be seen."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(place) in line or where.startswith(str(place)):
            found.append(f"{process.name}: {line} in {where}")
    return found


def gone(place: Path) -> bool:
    """Whether nothing works there any more."""
    return eventually(lambda: not processes_in(place), 60)


@contextmanager
def started(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, errors: int | IO[str] = subprocess.STDOUT
) -> Iterator[subprocess.Popen[str]]:
    """The command in a session of its own, so that nothing of it outlives the test."""
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(cwd) if env is None else env,
        stdout=subprocess.PIPE,
        stderr=errors,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
        if process.stdout is not None:
            process.stdout.close()


def wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    """All that was said up to the line which says this."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"{text!r} was never said")


def free_port() -> int:
    """A port that nobody is given unasked: those that systems hand out by themselves lie above all of these."""
    while True:
        port = secrets.choice(range(15_000, 32_000))
        with socket.socket() as taken, suppress(OSError):
            taken.bind(("127.0.0.1", port))
            return port
