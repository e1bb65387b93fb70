"""Bring a database up to this version's schema. Several processes may try at once; one does it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from sagezoho_pipelines.domain.errors import LedgerUnavailable
from sagezoho_pipelines.ledger.models import SCHEMA
from sagezoho_pipelines.ledger.postgres import SETUP_LOCK

VERSION_TABLE = "alembic_version"


def migrate(engine: Engine) -> None:
    """Migrate up to this version. Cheap when there is nothing to do.

    Raises LedgerUnavailable for a database that a newer version of the product has migrated already.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    if revision(engine) == scripts.get_current_head():
        return
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SETUP_LOCK})
        current = _revision_in(connection)
        known = {script.revision for script in scripts.walk_revisions()}
        if current is not None and current not in known:
            raise LedgerUnavailable(
                f"The database is at schema revision {current}, which this version of sagezoho does not know. "
                "Upgrade sagezoho to the version that made it."
            )
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(engine: Engine) -> str | None:
    """The schema revision the database is at; None before the first migration."""
    with engine.connect() as connection:
        return _revision_in(connection)


def _revision_in(connection: Connection) -> str | None:
    table = f"{SCHEMA}.{VERSION_TABLE}"
    if connection.execute(text("SELECT to_regclass(:table)"), {"table": table}).scalar() is None:
        return None
    return connection.execute(text(f"SELECT version_num FROM {table}")).scalar()
