"""Shared fixtures: one embedded Postgres for the whole test session, and a database of its own for each test."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import URL, Engine, text

from sagezoho_pipelines.ledger import embedded
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.migrations import migrate
from sagezoho_pipelines.ledger.postgres import DRIVER, engine_for
from sagezoho_pipelines_tests.databases import Databases, admin, copied, template

# How long an example takes says how busy the machine is, and nothing about the code. The same code is asked the same
# questions; `make soak` asks others each time.
settings.register_profile(
    "same for all",
    deadline=None,
    derandomize=not os.environ.get("SAGEZOHO_FAULT_THOROUGH"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same for all")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(worker_id: str, testrun_uid: str) -> Iterator[URL]:
    """The server's URL. Workers of one run share one server; the last to end takes it down.

    Not below pytest's own temporary directory: that one is private, and a server that must not be root cannot enter.
    """
    home = Path(tempfile.gettempdir()) / f"sagezoho-tests-{testrun_uid[:12]}"
    mine = home / f"{worker_id}.using"
    with _alone(home):
        home.mkdir(exist_ok=True)
        mine.touch()
        url = embedded.start(home).set(drivername=DRIVER)
    server = admin(url)
    with server.connect() as connection:
        # A test's data need not survive a power cut.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
    server.dispose()
    yield url
    with _alone(home):
        mine.unlink()
        if not list(home.glob("*.using")):
            embedded.stop(home)
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One worker at a time: none comes to a server that the last one is taking down."""
    turn = home.with_suffix(".turn")
    until = time.monotonic() + 100
    while True:
        try:
            turn.mkdir()
            break
        except FileExistsError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        turn.rmdir()


@pytest.fixture(scope="session")
def worker_id(request: pytest.FixtureRequest) -> str:
    """The xdist worker's name; `master` where xdist is not used."""
    return str(getattr(request.config, "workerinput", {}).get("workerid", "master"))


@pytest.fixture(scope="session")
def testrun_uid(request: pytest.FixtureRequest) -> str:
    """The same for all xdist workers of a run, different for each run."""
    given = getattr(request.config, "workerinput", {}).get("testrunuid")
    return str(given or uuid.uuid4().hex)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: URL) -> str:
    """A database with the newest schema that others are copied from; made once for all workers."""

    def make(url: URL) -> None:
        engine = engine_for(url)
        migrate(engine)
        engine.dispose()

    return template(postgres_server, "migrated_template", make)


@pytest.fixture(scope="session")
def databases(postgres_server: URL, migrated_template: str, worker_id: str) -> Iterator[Databases]:
    kept = Databases(postgres_server, worker_id, migrated_template)
    yield kept
    kept.close()


@pytest.fixture
def postgres_url(databases: Databases) -> Iterator[URL]:
    """A migrated database of the test's own."""
    with databases.one() as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_server: URL, worker_id: str) -> Iterator[URL]:
    """An empty database of the test's own."""
    with copied(postgres_server, f"empty_{worker_id}_{next(_numbers)}", "template0") as url:
        yield url


@pytest.fixture
def engine(postgres_url: URL) -> Iterator[Engine]:
    engine = engine_for(postgres_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine) -> PostgresLedger:
    return PostgresLedger(engine)


def pytest_collection_finish() -> None:
    """All that is imported stays: no collection of garbage need walk its hundreds of thousands of objects again."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Each run of the fault suite shows its one line of figures, captured or not, on xdist or not."""
    reports = [one for state in ("passed", "failed") for one in terminalreporter.getreports(state)]
    lines = [line for report in reports for line in report.capstdout.splitlines() if line.startswith("name ")]
    if lines:
        terminalreporter.section("figures of the fault suite")
        terminalreporter.write("\n".join(sorted(lines)) + "\n")
