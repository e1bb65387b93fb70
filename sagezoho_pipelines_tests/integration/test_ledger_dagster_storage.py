"""Dagster on the ledger's database, through the `dagster.yaml` of this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dagster import DagsterInstance, job, op
from sqlalchemy import URL, create_engine, text

from sagezoho_pipelines.ledger.migrations import migrate
from sagezoho_pipelines.ledger.postgres import engine_for

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installation(empty_postgres_url: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    monkeypatch.setenv("SAGEZOHO_POSTGRES_URL", empty_postgres_url.render_as_string(hide_password=False))
    return empty_postgres_url


@op
def nothing() -> None:
    pass


@job
def idle() -> None:
    nothing()


def test_a_database_that_was_away_does_not_double_the_log(installation: URL) -> None:
    code = """
import logging, sys
from dagster import DagsterInstance
with DagsterInstance.from_config(sys.argv[1]):
    logging.warning("Retrying failed database connection")
    logging.getLogger("dagster.daemon").addHandler(logging.StreamHandler())
    logging.getLogger("dagster.daemon").warning("a line of the daemon")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT)], capture_output=True, text=True, timeout=120, check=True,
        env=os.environ | {"SAGEZOHO_POSTGRES_URL": installation.render_as_string(hide_password=False)},
    )  # fmt: skip
    assert done.stderr.splitlines().count("a line of the daemon") == 1
    assert "WARNING:" not in done.stderr


def test_runs_are_kept_beside_the_ledger(installation: URL) -> None:
    with DagsterInstance.from_config(str(ROOT)) as instance:
        assert not instance.telemetry_enabled
        run = idle.execute_in_process(instance=instance)
        assert [stored.run_id for stored in instance.get_runs()] == [run.run_id]
        assert len(instance.all_logs(run.run_id)) > 5
        instance.optimize_for_webserver(statement_timeout=5000, pool_recycle=3600, max_overflow=5)
        assert instance.get_run_by_id(run.run_id) is not None
        driver = instance.run_storage._engine.url.drivername  # type: ignore[attr-defined]
        assert driver == "postgresql+psycopg2"
        assert instance.schedule_storage is not None
        assert instance.schedule_storage.all_instigator_state() == []
    engine = engine_for(installation)
    migrate(engine)
    with engine.connect() as connection:
        schemas = connection.execute(
            text(
                "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
        )
        assert sorted(schemas.scalars()) == ["dagster", "sagezoho"]
    engine.dispose()


@pytest.mark.usefixtures("installation")
def test_an_instance_can_be_opened_again_from_its_reference() -> None:
    with (
        DagsterInstance.from_config(str(ROOT)) as instance,
        DagsterInstance.from_ref(instance.get_ref()) as again,
    ):
        run = idle.execute_in_process(instance=instance)
        assert again.get_run_by_id(run.run_id) is not None


def test_connections_that_broke_while_they_were_idle_are_replaced(installation: URL) -> None:
    with DagsterInstance.from_config(str(ROOT)) as instance:
        run = idle.execute_in_process(instance=instance)
        admin = create_engine(installation.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
            connection.execute(cut, {"name": installation.database})
        admin.dispose()
        time.sleep(1.1)
        assert instance.get_run_by_id(run.run_id) is not None
        assert len(instance.all_logs(run.run_id)) > 5


#: Imports what a start needs once, and then starts as four processes.
_FOUR_STARTS = f"""
import os
from dagster import DagsterInstance
from sagezoho_pipelines.ledger.migrations import migrate
from sagezoho_pipelines.ledger.postgres import database_url, engine_for, ensure_database

children = []
for _ in range(4):
    child = os.fork()
    if not child:
        ensure_database(database_url())
        migrate(engine_for(database_url()))
        instance = DagsterInstance.from_config({str(ROOT)!r})
        os.write(1, b"%d\\n" % len(instance.get_runs()))
        os._exit(0)
    children.append(child)
ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(ended)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes that start at the same moment are forked")
def test_several_processes_may_start_at_once_on_an_empty_server(installation: URL) -> None:
    server = create_engine(installation.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:  # even the database is missing
        connection.execute(text(f"DROP DATABASE {installation.database}"))
    server.dispose()
    done = subprocess.run(
        [sys.executable, "-c", _FOUR_STARTS], capture_output=True, text=True, timeout=250, check=False
    )
    assert done.stdout.split("\n") == ["0"] * 4 + ["[0, 0, 0, 0]", ""], done.stderr
