"""Dagster's own storage, in the ledger's database: one server, found and started the same way.

Named in `dagster.yaml`, so that a bare `dagster dev` in a checkout needs no other setting.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy import URL, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from sagezoho_pipelines.ledger.postgres import (
    SETUP_LOCK,
    connect_arguments,
    database_url,
    engine_for,
    ensure_database,
)

SCHEMA = "dagster"

#: A connection used this recently is not asked whether it still lives.
_TRUSTED_SECONDS = 1.0


class SagezohoStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the schema `dagster` of the database that `SAGEZOHO_POSTGRES_URL` names.

    Takes no configuration. Raises LedgerUnavailable when Postgres cannot be reached. Several processes may start at
    once on an empty server: one makes the tables, the others wait for it.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        _keep_the_log_single()
        url = database_url()
        ensure_database(url)
        within = _within_schema(url)
        engine = engine_for(url, application_name="sagezoho setup", pool_size=1)
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": SETUP_LOCK})
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
                super().__init__(within.render_as_string(hide_password=False), inst_data=inst_data)
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": SETUP_LOCK})
        finally:
            engine.dispose()
        self._keep_connections(within)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003  Dagster's own
    ) -> SagezohoStorage:
        return cls(inst_data=inst_data)

    def _keep_connections(self, url: URL) -> None:
        """One connection kept for each part, and checked before use if it was idle: as shipped, every query connects
        anew, which makes up more than half of a short run's time. Further ones are opened as needed and closed after
        use, so no thread ever waits for the pool."""
        for part in (self._run_storage, self._event_log_storage, self._schedule_storage):
            part._engine.dispose()
            part._engine = create_engine(
                url,
                isolation_level="AUTOCOMMIT",
                pool_size=1,
                max_overflow=-1,
                pool_recycle=3600,
                connect_args=connect_arguments(url),
            )
            _check_after_idling(part._engine)


def _keep_the_log_single() -> None:
    """dagster-postgres tells the root logger that it tries again, which gives a root without a handler one for good:
    from then on every line of the daemon's log would be there twice."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def _check_after_idling(engine: Engine) -> None:
    """A connection that was not used for a moment is asked whether it still lives, and replaced if it does not.

    SQLAlchemy's own pre-ping asks at every use: a hundred times in a run, which writes its events one by one.
    """

    def used(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    def about_to_be_used(
        connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        last = record.info.get("used")
        if last is None or time.monotonic() - last < _TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise DisconnectionError from None

    event.listen(engine, "checkin", used)
    event.listen(engine, "checkout", about_to_be_used)


def _within_schema(url: URL) -> URL:
    """Unqualified names are Dagster's: made and found in its schema."""
    given = url.query.get("options", "")
    options = f"{given if isinstance(given, str) else ' '.join(given)} -csearch_path={SCHEMA}".strip()
    return url.update_query_dict({"options": options, "application_name": "dagster"})
