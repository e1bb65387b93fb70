"""A supervisor's children: real processes, short ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sagezoho_pipelines.cli import processes

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups")

#: A supervisor over the children that its arguments give as Python code.
SUPERVISOR = """
import os, sys
from sagezoho_pipelines.cli import supervisor
supervisor.PAUSE_SECONDS = 0.2
children = [supervisor.Child(f"child {n}", [sys.executable, "-c", code]) for n, code in enumerate(sys.argv[1:])]
supervisor.Supervisor(children, env=os.environ, told=lambda text: print(text, flush=True)).run()
print("ended", flush=True)
"""

SLEEPER = "import time; time.sleep(300)"
#: Ends by SIGTERM, whatever was ignored where it was started from.
OBEDIENT = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_DFL)
print("ready", flush=True)
time.sleep(60)
"""
#: Ignores SIGTERM, as a process that is stuck does, and so does its own child.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


def supervising(*children: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, *children], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def line(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    return next(line for line in process.stdout if words in line)


def pid(process: subprocess.Popen[str], name: str) -> int:
    return int(line(process, f"{name}: process").rpartition(" ")[2])


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    try:
        return "State:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except OSError:
        return False


def test_what_dies_is_started_again_and_one_signal_ends_it_all() -> None:
    with supervising(SLEEPER, SLEEPER) as process:
        first, second = pid(process, "child 0"), pid(process, "child 1")
        os.kill(first, signal.SIGKILL)
        assert "signal 9" in line(process, "child 0 ended")
        again = pid(process, "child 0")
        process.terminate()
        assert process.wait(60) == 0
        assert again != first
        assert not any(alive(number) for number in (first, second, again))


def test_children_of_a_killed_supervisor_end_by_themselves_with_all_they_started(tmp_path: Path) -> None:
    told = tmp_path / "told"
    parent = f"""
import pathlib, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
pathlib.Path({str(told)!r}).write_text(str(grandchild.pid) + " ")
time.sleep(300)
"""
    with supervising(SLEEPER, parent) as process:
        numbers = [pid(process, "child 0"), pid(process, "child 1")]
        end = time.monotonic() + 100
        while not (told.exists() and told.read_text().endswith(" ")) and time.monotonic() < end:
            time.sleep(0.05)
        numbers.append(int(told.read_text()))
        assert all(alive(number) for number in numbers)
        process.kill()
        process.wait(60)
        while any(alive(number) for number in numbers) and time.monotonic() < end:
            time.sleep(0.05)
    assert not any(alive(number) for number in numbers)


def test_a_child_that_dies_at_once_is_started_less_and_less_often() -> None:
    with supervising("raise SystemExit(3)") as process:
        pauses = [line(process, "exit code 3").rpartition("again in ")[2].strip() for _ in range(3)]
        process.terminate()
        assert process.wait(60) == 0
    assert pauses == ["0.2 s.", "0.4 s.", "0.8 s."]


def test_a_group_that_ignores_the_signal_is_killed_with_all_it_started() -> None:
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True)
    other = subprocess.Popen([sys.executable, "-c", OBEDIENT], start_new_session=True, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"ready\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    end = time.monotonic() + 60
    while not (started := children.read_text().split()) and time.monotonic() < end:
        time.sleep(0.05)
    began = time.monotonic()
    processes.end(process, other, seconds=0.5)
    assert time.monotonic() - began < 30, "the stubborn one would sleep for a minute"
    assert (process.returncode, other.returncode) == (-signal.SIGKILL, -signal.SIGTERM)
    assert started
    # A killed grandchild is not ours to wait for: it goes a moment after its parent.
    while any(alive(int(number)) for number in started) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(alive(int(number)) for number in started)
