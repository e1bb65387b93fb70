"""Shared fixtures: one embedded Postgres for the whole test session, and a database of its own for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from sagezoho_pipelines.ledger import embedded
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.migrations import migrate
from sagezoho_pipelines.ledger.postgres import DRIVER, engine_for

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_TEMPLATE = "migrated_template"
_LOCK = 77_001
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(worker_id: str, testrun_uid: str) -> Iterator[URL]:
    """The server's URL. Workers of one run share one server; the last to end takes it down.

    Not below pytest's own temporary directory: that one is private, and a server that must not be root cannot enter.
    """
    home = Path(tempfile.gettempdir()) / f"sagezoho-tests-{testrun_uid[:12]}"
    home.mkdir(exist_ok=True)
    mine = home / f"{worker_id}.using"
    mine.touch()
    url = embedded.start(home).set(drivername=DRIVER)
    admin = _admin(url)
    with admin.connect() as connection:
        # A test's data need not survive a power cut.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()
    yield url
    mine.unlink()
    if not list(home.glob("*.using")):
        embedded.stop(home)
        shutil.rmtree(home, ignore_errors=True)


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
    admin = _admin(postgres_server)
    with admin.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        found = connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": _TEMPLATE}).first()
        if found is None:
            connection.execute(text(f"CREATE DATABASE {_TEMPLATE}_making"))
            engine = engine_for(postgres_server.set(database=f"{_TEMPLATE}_making"))
            migrate(engine)
            engine.dispose()
            connection.execute(text(f"ALTER DATABASE {_TEMPLATE}_making RENAME TO {_TEMPLATE}"))
    admin.dispose()
    return _TEMPLATE


@pytest.fixture
def postgres_url(postgres_server: URL, migrated_template: str, worker_id: str) -> Iterator[URL]:
    """A migrated database of the test's own."""
    yield from _database(postgres_server, worker_id, template=migrated_template)


@pytest.fixture
def empty_postgres_url(postgres_server: URL, worker_id: str) -> Iterator[URL]:
    """An empty database of the test's own."""
    yield from _database(postgres_server, worker_id, template="template0")


@pytest.fixture
def engine(postgres_url: URL) -> Iterator[Engine]:
    engine = engine_for(postgres_url)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine) -> PostgresLedger:
    return PostgresLedger(engine)


def _database(server: URL, worker_id: str, *, template: str) -> Iterator[URL]:
    name = f"test_{worker_id}_{next(_numbers)}"
    admin = _admin(server)
    with admin.connect() as connection:
        # A database can be copied only while nobody uses it: the lock keeps other workers' copies one after another.
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield server.set(database=name)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def _admin(server: URL) -> Engine:
    return create_engine(server.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Each run of the fault suite shows its one line of figures, captured or not, on xdist or not."""
    reports = [one for state in ("passed", "failed") for one in terminalreporter.getreports(state)]
    lines = [line for report in reports for line in report.capstdout.splitlines() if line.startswith("name ")]
    if lines:
        terminalreporter.section("figures of the fault suite")
        terminalreporter.write("\n".join(sorted(lines)) + "\n")
