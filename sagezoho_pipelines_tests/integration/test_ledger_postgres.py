"""Finding, starting and migrating the database, and what is said when it is not there."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Engine, text

from sagezoho_pipelines.domain.errors import ConfigurationError, LedgerUnavailable
from sagezoho_pipelines.domain.records import Cause, EntityRef, System
from sagezoho_pipelines.ledger import embedded
from sagezoho_pipelines.ledger.ledger import PostgresLedger
from sagezoho_pipelines.ledger.migrations import migrate, revision
from sagezoho_pipelines.ledger.models import SCHEMA, Base
from sagezoho_pipelines.ledger.postgres import database_url, engine_for, ensure_database
from sagezoho_pipelines_tests.waiting import eventually

VENDORS = EntityRef("saminc", System.SAGE300, "vendors")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u:p@h:5433/d", "postgresql+psycopg2://u:p@h:5433/d"),
        ("postgresql://u@h", "postgresql+psycopg2://u@h/sagezoho"),
        ("postgresql+psycopg://u@h/d?sslmode=require", "postgresql+psycopg2://u@h/d?sslmode=require"),
        (" postgresql:///d?host=/run/pg ", "postgresql+psycopg2:///d?host=%2Frun%2Fpg"),
    ],
)
def test_the_driver_is_always_named(given: str, used: str) -> None:
    assert database_url({"SAGEZOHO_POSTGRES_URL": given}).render_as_string(hide_password=False) == used


@pytest.mark.parametrize("given", ["mysql://u:secret@h/d", "nonsense secret", "postgresql://u:secret@h:port/d"])
def test_what_is_no_postgres_url_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ConfigurationError, match="SAGEZOHO_POSTGRES_URL") as caught:
        database_url({"SAGEZOHO_POSTGRES_URL": given})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "first_use",
    [
        ensure_database,
        lambda url: migrate(engine_for(url)),
        lambda url: PostgresLedger(engine_for(url)).watermark(VENDORS),
    ],
)
def test_a_server_that_is_down_is_one_clear_message(first_use: Callable[[str], object]) -> None:
    with pytest.raises(LedgerUnavailable, match=r"127\.0\.0\.1:1 .*refused.*SAGEZOHO_POSTGRES_URL") as caught:
        first_use("postgresql+psycopg2://app:hunter2@127.0.0.1:1/sagezoho")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_connection_lost_in_a_query_is_the_same_message_and_the_next_call_works(engine: Engine) -> None:
    ledger = PostgresLedger(engine)
    with pytest.raises(LedgerUnavailable, match="cannot be reached"), engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert ledger.watermark(VENDORS) is None


def test_idle_connections_that_the_server_ended_are_replaced_unseen(engine: Engine) -> None:
    ledger = PostgresLedger(engine)
    assert ledger.watermark(VENDORS) is None
    killer = engine_for(engine.url)
    with killer.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    killer.dispose()
    assert ledger.watermark(VENDORS) is None


def test_migrations_make_exactly_the_models(empty_postgres_url: URL) -> None:
    engine = engine_for(empty_postgres_url)
    assert revision(engine) is None
    with ThreadPoolExecutor(4) as pool:  # processes that start together
        list(pool.map(lambda _: migrate(engine), range(4)))
    assert revision(engine) is not None
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == SCHEMA,
                "version_table_schema": SCHEMA,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_a_database_from_a_newer_version_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE sagezoho.alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerUnavailable, match="9999, which this version of sagezoho does not know"):
        migrate(engine)


@pytest.fixture
def short_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sz") as folder:
        home = Path(folder) / ".sagezoho"
        yield home
        embedded.stop(home)


def test_the_embedded_server_starts_is_joined_and_stops(short_home: Path) -> None:
    env = {"SAGEZOHO_HOME": str(short_home)}
    with ThreadPoolExecutor(3) as pool:
        urls = list(pool.map(lambda _: database_url(env), range(3)))
    assert len(set(urls)) == 1
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ensure_database, urls))
    engine = engine_for(urls[0])
    migrate(engine)
    ledger = PostgresLedger(engine)
    ledger.capture(VENDORS, [], cause=Cause.POLL, at=NOON, watermark={"at": "1"})
    assert embedded.stop(short_home)
    assert not embedded.stop(short_home)
    with pytest.raises(LedgerUnavailable, match=r"\.sagezoho/postgres"):
        ledger.watermark(VENDORS)
    database_url(env)
    assert ledger.watermark(VENDORS) == {"at": "1"}
    engine.dispose()


def test_a_server_that_is_about_to_end_is_waited_for(short_home: Path) -> None:
    short_home.mkdir()
    engine = engine_for(embedded.start(short_home))
    noted = short_home / "postgres" / "postmaster.pid"
    with engine.connect():  # which it lets finish
        os.kill(int(noted.read_text().splitlines()[0]), signal.SIGTERM)
        assert eventually(lambda: "stopping" in noted.read_text())
        with pytest.raises(LedgerUnavailable, match=r"is shutting down\. Run this again"):
            embedded.start(short_home, patience=0)
    engine.dispose()
    embedded.start(short_home)
    assert embedded.is_running(short_home)


def test_a_server_that_recovers_first_is_waited_for(short_home: Path) -> None:
    short_home.mkdir()
    engine = engine_for(embedded.start(short_home))
    once = "test -e asked || { touch asked; sleep 12; }; false"  # nothing was saved elsewhere
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER SYSTEM SET restore_command = '{once}'"))
    engine.dispose()
    assert embedded.stop(short_home)
    (short_home / "postgres" / "recovery.signal").touch()
    embedded.start(short_home)
    assert (short_home / "postgres" / "asked").exists()
    assert embedded.is_running(short_home)


def test_a_path_too_long_for_a_socket_works(short_home: Path) -> None:
    home = short_home.parent / ("long-" * 20) / ".sagezoho"
    home.parent.mkdir()
    url = database_url({"SAGEZOHO_HOME": str(home)})
    try:
        ensure_database(url)
    finally:
        assert embedded.stop(home)


def test_a_home_in_a_missing_directory_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="does not exist"):
        database_url({"SAGEZOHO_HOME": str(tmp_path / "no" / "where")})


def test_a_path_with_spaces_works(short_home: Path) -> None:
    home = short_home.parent / "My Projects" / ".sagezoho"
    home.parent.mkdir()
    try:
        ensure_database(database_url({"SAGEZOHO_HOME": str(home)}))
    finally:
        assert embedded.stop(home)


def test_a_path_the_server_cannot_use_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="a quote, a dollar or a backslash"):
        database_url({"SAGEZOHO_HOME": str(tmp_path / "my$home")})


def test_a_server_that_falls_silent_is_noticed_within_half_a_minute(engine: Engine) -> None:
    with engine.connect() as connection:
        told = connection.connection.dbapi_connection.info.dsn_parameters  # type: ignore[union-attr]
    assert (told["keepalives_idle"], told["keepalives_interval"], told["keepalives_count"]) == ("10", "5", "3")
    assert told["tcp_user_timeout"] == "30000"


def test_what_the_url_says_of_silence_itself_stays(postgres_url: URL) -> None:
    url = postgres_url.update_query_dict({"tcp_user_timeout": "5000", "connect_timeout": "3"})
    ensure_database(url)
    engine = engine_for(url)
    with engine.connect() as connection:
        told = connection.connection.dbapi_connection.info.dsn_parameters  # type: ignore[union-attr]
    engine.dispose()
    assert (told["tcp_user_timeout"], told["connect_timeout"]) == ("5000", "3")
