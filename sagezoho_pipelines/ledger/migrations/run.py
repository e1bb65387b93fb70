"""Bring a database up to this version's schema. Several processes may try at once; one does it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import ProgrammingError

from sagezoho_pipelines.domain.errors import LedgerUnavailable
from sagezoho_pipelines.ledger.models import SCHEMA, Base
from sagezoho_pipelines.ledger.postgres import SETUP_LOCK

VERSION_TABLE = "alembic_version"
_NO_RIGHT = "42501"  # SQLSTATE insufficient_privilege


def migrate(engine: Engine) -> None:
    """Migrate up to this version. Cheap when there is nothing to do.

    Raises LedgerUnavailable for a database that a newer version of the product has migrated already, and for one that
    lacks what its revision makes or may not be changed; that stays as it is.
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
        try:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        except ProgrammingError as error:
            raise _stuck(engine, current, error) from None
        lacking = _lacking(connection)
        if lacking:
            raise _not_whole(current, f"{', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing")


def _stuck(engine: Engine, current: str | None, error: ProgrammingError) -> LedgerUnavailable:
    said = str(error.orig).strip().partition("\n")[0]
    if getattr(error.orig, "pgcode", None) != _NO_RIGHT:
        return _not_whole(current, said)
    user, database = engine.url.username, engine.url.database
    return LedgerUnavailable(
        f"The database user {user} may not make or change the tables in {database}: {said}. Let the owner of the "
        f'database run: GRANT CREATE ON DATABASE "{database}" TO "{user}", and let {user} own the schema {SCHEMA} '
        "where it is there already."
    )


def _not_whole(current: str | None, what: str) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"The database says that it is at schema revision {current}, but not all that belongs to it is there: {what}. "
        "Restore a backup that is whole, or begin with an empty database; nothing was changed in this one."
    )


def revision(engine: Engine) -> str | None:
    """The schema revision the database is at; None before the first migration."""
    with engine.connect() as connection:
        return _revision_in(connection)


def _revision_in(connection: Connection) -> str | None:
    table = f"{SCHEMA}.{VERSION_TABLE}"
    if connection.execute(text("SELECT to_regclass(:table)"), {"table": table}).scalar() is None:
        return None
    return connection.execute(text(f"SELECT version_num FROM {table}")).scalar()


def _lacking(connection: Connection) -> list[str]:
    """Tables and columns of this version that are not there, found before a statement trips over them."""
    there = {
        table: {column["name"] for column in columns}
        for (_, table), columns in inspect(connection).get_multi_columns(schema=SCHEMA).items()
    }
    return [
        name
        for table in Base.metadata.sorted_tables
        for name in (
            [f"{table.name}.{column.name}" for column in table.columns if column.name not in there[table.name]]
            if table.name in there
            else [table.name]
        )
    ]
