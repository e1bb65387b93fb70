"""What a test leaves in its database is nothing that the next one finds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import URL, Engine, text
from sqlalchemy.exc import DBAPIError

from sagezoho_pipelines.domain.errors import LedgerUnavailable
from sagezoho_pipelines.ledger.postgres import engine_for
from sagezoho_pipelines_tests.databases import Databases


@pytest.fixture
def databases(postgres_server: URL, migrated_template: str) -> Iterator[Databases]:
    made = Databases(postgres_server, f"tried_{uuid.uuid4().hex[:12]}", migrated_template)
    yield made
    made.close()


@contextmanager
def one(databases: Databases) -> Iterator[Engine]:
    with databases.one() as url:
        engine = engine_for(url)
        yield engine
        engine.dispose()


def number(engine: Engine) -> int:
    """Of the database itself, whatever its name."""
    with engine.connect() as connection:
        own = "SELECT oid::bigint FROM pg_database WHERE datname = current_database()"
        return int(connection.execute(text(own)).scalar_one())


_ROW = "INSERT INTO sagezoho.sequences (connection, name, value) VALUES ('saminc', 'customers:Z', 7)"


def spoiled(engine: Engine, statement: str) -> int:
    with engine.begin() as connection:
        connection.execute(text(statement))
    return number(engine)


def test_rows_are_gone_numbers_begin_anew_and_the_old_name_leads_nowhere(databases: Databases) -> None:
    with one(databases) as engine:
        old = engine.url
        first = spoiled(engine, _ROW)
        with engine.begin() as connection:
            connection.execute(text("SELECT nextval(pg_get_serial_sequence('sagezoho.changes', 'id'))"))
        lingering = engine.connect()  # a session that nobody closes
        assert lingering.execute(text("SELECT count(*) FROM sagezoho.sequences")).scalar_one() == 1
    with one(databases) as engine:
        assert number(engine) == first
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM sagezoho.sequences")).scalar_one() == 0
            following = "SELECT nextval(pg_get_serial_sequence('sagezoho.changes', 'id'))"
            assert connection.execute(text(following)).scalar_one() == 1
            assert connection.execute(text("SELECT count(*) FROM sagezoho.alembic_version")).scalar_one() == 1
        with pytest.raises(LedgerUnavailable, match="does not exist"):
            engine_for(old).connect()
    with pytest.raises((DBAPIError, LedgerUnavailable)):
        lingering.execute(text("SELECT 1"))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.left_behind (n int)",
        "ALTER TABLE sagezoho.audit DISABLE TRIGGER USER",
        "ALTER TABLE sagezoho.links ADD COLUMN more text",
        "ALTER TABLE sagezoho.links ALTER COLUMN sage_id DROP NOT NULL",
        "CREATE SCHEMA dagster",
        "CREATE OR REPLACE FUNCTION sagezoho.of_a_test() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP TABLE sagezoho.pauses",
        "UPDATE sagezoho.alembic_version SET version_num = 'another'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO %L', current_database(), 'Asia/Tokyo'); END $$",
    ],
)
def test_what_is_not_as_it_was_is_not_used_again(databases: Databases, statement: str) -> None:
    with one(databases) as engine:
        first = spoiled(engine, statement)
    with one(databases) as engine:
        assert number(engine) != first


def test_a_database_that_has_grown_is_small_again(databases: Databases) -> None:
    with one(databases) as engine:
        rows = "SELECT 'c', repeat('x', 200) || n, n FROM generate_series(1, 20000) n"
        first = spoiled(engine, f"INSERT INTO sagezoho.sequences (connection, name, value) {rows}")
    for _ in range(2):
        with one(databases) as engine:
            assert number(engine) == first
            with engine.connect() as connection:
                size = "SELECT pg_total_relation_size('sagezoho.sequences')"
                assert connection.execute(text(size)).scalar_one() < 200_000
