"""Runs one command that ends when whoever started it does, also when that is killed outright.

They hold a pipe to our standard input. When it closes, what we run is asked to end, and killed if it does not; a
command that ends by itself ends us in its own way. Only the standard library: this runs beside every child.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

#: What a worker may need to finish what it holds.
STOP_SECONDS = 30.0


def tethered(command: Sequence[str]) -> list[str]:
    """The command, held. Start it with a pipe as standard input, in a session of its own."""
    return [sys.executable, "-m", "sagezoho_pipelines.cli.tether", *command]


def main(command: Sequence[str]) -> None:
    """Until the command has ended, by itself or with our pipe."""
    for number in (signal.SIGTERM, signal.SIGINT):  # sent to the whole group: the command ends, and we with it
        signal.signal(number, lambda *_: None)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    cut = threading.Event()
    threading.Thread(target=_hold, args=(process, cut), daemon=True).start()
    code = process.wait()
    if cut.is_set():
        _signal(process, "SIGKILL")  # what the command started itself may have outlived it; we go with it
    if code < 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    raise SystemExit(code if code >= 0 else 1)


def _hold(process: subprocess.Popen[bytes], cut: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    cut.set()
    _signal(process, "SIGTERM")
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, "SIGKILL")


def _signal(process: subprocess.Popen[bytes], name: str) -> None:
    """To our whole group where it is our own, else to the command alone."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), getattr(signal, name))
    elif process.poll() is None:
        process.kill() if name == "SIGKILL" else process.terminate()


if __name__ == "__main__":
    main(sys.argv[1:])
