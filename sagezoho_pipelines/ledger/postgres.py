"""Where the database is, and how it is reached: one server for the ledger and for Dagster's own storage."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import errorcodes
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import ConfigurationError, LedgerUnavailable
from sagezoho_pipelines.ledger import embedded

DATABASE = "sagezoho"
DRIVER = "postgresql+psycopg2"
CONNECT_TIMEOUT_SECONDS = 10

#: A server that lost its power, or a firewall that forgot a quiet connection, says nothing: without these a query waits
#: for a quarter of an hour until the system gives up. Seconds, the last one in milliseconds.
NOTICED = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

#: Advisory lock of everything that creates databases, schemas and tables: several processes may start at once.
SETUP_LOCK = 0x5A6E_2040


def database_url(env: Mapping[str, str] | None = None) -> URL:
    """The URL of the database `SAGEZOHO_POSTGRES_URL` names, or of the embedded server, which is started if need be.

    The driver is always named: a bare `postgresql://` means different drivers in different SQLAlchemy versions.
    Raises ConfigurationError for a value that is no Postgres URL, LedgerUnavailable when no server can be started.
    """
    env = os.environ if env is None else env
    given = env.get("SAGEZOHO_POSTGRES_URL", "").strip()
    if given:
        return normalised(given)
    return embedded.start(embedded.home(env)).set(drivername=DRIVER, database=DATABASE)


def normalised(given: str) -> URL:
    """A Postgres URL as people write it, with our driver and, where it names none, our database."""
    remedy = "Give one like postgresql://user:password@host:5432/sagezoho"
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"SAGEZOHO_POSTGRES_URL is not a URL. {remedy}") from None
    if url.drivername.split("+")[0] not in ("postgres", "postgresql"):
        raise ConfigurationError(f"SAGEZOHO_POSTGRES_URL names {url.drivername!r}, not Postgres. {remedy}")
    return url.set(drivername=DRIVER, database=url.database or DATABASE)


def connect_arguments(url: URL, **own: str) -> dict[str, str | int]:
    """For psycopg2: how long a silent server is waited for, and `own`; what the URL says itself stays."""
    given = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, **NOTICED}
    return {name: value for name, value in given.items() if name not in url.query} | own


def engine_for(url: URL | str, *, application_name: str = "sagezoho", pool_size: int = 5) -> Engine:
    """A pooled engine whose JSON is exact and whose lost connections are LedgerUnavailable, at first use too."""
    target = make_url(url)
    engine = create_engine(
        target,
        pool_size=pool_size,
        max_overflow=10,
        pool_pre_ping=True,
        pool_recycle=3600,
        connect_args=connect_arguments(target, application_name=application_name),
        json_serializer=json.dumps,
        json_deserializer=json.loads,
    )
    event.listen(engine, "handle_error", unavailable_for(target))
    return engine


def unavailable_for(url: URL) -> Callable[[ExceptionContext], None]:
    """An error handler that turns a server which cannot be reached, or went away, into LedgerUnavailable."""

    def translate(context: ExceptionContext) -> None:
        error = context.original_exception
        lost = context.is_disconnect or context.connection is None
        if lost and isinstance(error, psycopg2.Error) and not context.is_pre_ping:
            raise unavailable(url, error) from None

    return translate


def unavailable(url: URL, error: BaseException) -> LedgerUnavailable:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if url.password:
        reason = reason.replace(str(url.password), "***")
    host = url.host or str(url.query.get("host", "localhost"))
    where = host if host.startswith("/") else f"{host}:{url.port or 5432}"
    return LedgerUnavailable(
        f"Postgres cannot be reached at {where} (database {url.database}, user {url.username or 'default'}): {reason}. "
        "Start the server, or correct SAGEZOHO_POSTGRES_URL."
    )


def ensure_database(url: URL | str) -> None:
    """Create the database if the server lacks it. Safe when several processes do so at once."""
    target = make_url(url)
    if _exists(target):
        return
    maintenance = create_engine(
        target.set(database="postgres"),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        connect_args=connect_arguments(target, application_name="sagezoho setup"),
    )
    event.listen(maintenance, "handle_error", unavailable_for(target.set(database="postgres")))
    with maintenance.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": SETUP_LOCK})
        known = connection.execute(
            text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": target.database}
        ).first()
        if known is None:
            name = connection.dialect.identifier_preparer.quote(str(target.database))
            try:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
            except (ProgrammingError, OperationalError) as error:
                raise LedgerUnavailable(
                    f"The database {target.database} does not exist and cannot be created: "
                    f"{str(error.orig).strip()}. Ask the server's administrator to create it."
                ) from None


def _exists(url: URL) -> bool:
    arguments = url.translate_connect_args(database="dbname", username="user") | dict(url.query)
    try:
        psycopg2.connect(**arguments, **connect_arguments(url)).close()
    except psycopg2.OperationalError as error:
        # Errors of the connection itself carry no SQLSTATE in psycopg2: the server's words have to do.
        if error.pgcode == errorcodes.INVALID_CATALOG_NAME or f'database "{url.database}" does not exist' in str(error):
            return False
        raise unavailable(url, error) from None
    return True
