"""Databases of the tests' own. To copy a template takes long, so what a test leaves is cleaned and given to the next.

The next test finds it as the template is, under a name that nobody has known before: whoever still has the old name,
a thread or a process of the test before, finds nothing there. What cannot be cleaned for certain, because a test has
changed more than rows, is dropped.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

#: Held on the server's own database while one is copied: nobody may be using the template then.
_LOCK = 77_001
#: Rows that are deleted leave their room: a database is given so often, and then made anew.
_USES = 50
_BIG_BYTES = 1_000_000

#: Everything that is not a row: who made or changed an entry of a catalogue last is in its xmin.
_SHAPE = """
SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
    SELECT 'class ' || oid || ' ' || xmin AS line FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT 'column ' || attrelid || ' ' || attnum || ' ' || xmin FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT 'default ' || oid || ' ' || xmin FROM pg_attrdef
    UNION ALL SELECT 'constraint ' || oid || ' ' || xmin FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT 'index ' || indexrelid || ' ' || xmin FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT 'trigger ' || oid || ' ' || xmin FROM pg_trigger
    UNION ALL SELECT 'function ' || oid || ' ' || xmin FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT 'type ' || oid || ' ' || xmin FROM pg_type WHERE oid >= 16384
    UNION ALL SELECT 'schema ' || oid || ' ' || xmin FROM pg_namespace
        WHERE nspname NOT LIKE 'pg\\_temp%' AND nspname NOT LIKE 'pg\\_toast\\_temp%'
    UNION ALL SELECT 'extension ' || oid || ' ' || xmin FROM pg_extension
    UNION ALL SELECT 'setting ' || s.setrole || ' ' || s.xmin FROM pg_db_role_setting s
        JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database()
) AS shape
"""
_TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name,
    pg_total_relation_size(format('%I.%I', schemaname, tablename)::regclass) AS bytes
FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""
_SEQUENCES = """
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
WHERE last_value IS NOT NULL
"""


def admin(server: URL) -> Engine:
    return create_engine(server.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)


@contextmanager
def copied(server: URL, name: str, base: str) -> Iterator[URL]:
    """A copy of a template that is dropped at the end."""
    engine = admin(server)
    _copy(engine, name, base)
    try:
        yield server.set(database=name)
    finally:
        _drop(engine, name)
        engine.dispose()


def template(server: URL, name: str, make: Callable[[URL], None], *, base: str = "template1") -> str:
    """A database that others are copied from; whichever worker comes first makes it, from a copy of `base`."""
    engine = admin(server)
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        found = connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}).first()
        if found is None:
            connection.execute(text(f"CREATE DATABASE {name}_making TEMPLATE {base}"))
            make(server.set(database=f"{name}_making"))
            connection.execute(text(f"ALTER DATABASE {name}_making RENAME TO {name}"))
    engine.dispose()
    return name


def _copy(engine: Engine, name: str, base: str) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {base}"))


def _drop(engine: Engine, name: str) -> None:
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@dataclass(frozen=True)
class _Template:
    """What a database is like before its first use: its shape, and the tables that have rows then, with those."""

    shape: str
    filled: dict[str, str]


class Databases:
    """One worker's copies of a template, of which one is in use at a time."""

    def __init__(self, server: URL, worker: str, base: str) -> None:
        self._server, self._worker, self._base = server, worker, base
        self._admin = admin(server)
        self._numbers = itertools.count(1)
        self._spare = ""
        self._uses = 0
        self._as_made: _Template | None = None

    @contextmanager
    def one(self) -> Iterator[URL]:
        name, self._spare = self._spare, ""
        if not name:
            name, self._uses = self._name(), 0
            _copy(self._admin, name, self._base)
            with self._inside(name) as connection:
                self._as_made = _seen(connection)
        self._uses += 1
        try:
            yield self._server.set(database=name)
        finally:
            self._spare = self._cleaned(name)

    def close(self) -> None:
        if self._spare:
            _drop(self._admin, self._spare)
        self._admin.dispose()

    def _name(self) -> str:
        return f"test_{self._worker}_{next(self._numbers)}"

    def _cleaned(self, name: str) -> str:
        """The name under which it can be used again; an empty one where it cannot."""
        again = self._name()
        try:
            if self._uses < _USES and self._renamed(name, again):
                with self._inside(again) as connection:
                    if self._emptied(connection):
                        return again
        except DBAPIError:
            pass  # it is not as it was: what the test did to it is the test's business
        for one in (name, again):
            _drop(self._admin, one)
        return ""

    def _renamed(self, name: str, again: str) -> bool:
        """Whether nobody uses it any more. Sessions are ended, which takes a moment."""
        end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name"
        with self._admin.connect() as connection:
            for _ in range(500):
                if not connection.execute(text(end), {"name": name}).scalar_one():
                    connection.execute(text(f"ALTER DATABASE {name} RENAME TO {again}"))
                    return True
                time.sleep(0.002)
        return False

    def _emptied(self, connection: Connection) -> bool:
        """Whether it is like its template once all rows that came since are gone."""
        known = self._as_made
        if known is None or connection.execute(text(_SHAPE)).scalar_one() != known.shape:
            return False
        connection.execute(text("SET session_replication_role = replica"))  # or the audit refuses
        tables = [row for row in connection.execute(text(_TABLES)) if row.name not in known.filled]
        big = [row.name for row in tables if row.bytes > _BIG_BYTES]
        connection.execute(text("; ".join(f"DELETE FROM {row.name}" for row in tables if row.name not in big)))
        if big:
            connection.execute(text(f"TRUNCATE {', '.join(big)} CASCADE"))
        connection.execute(text(_SEQUENCES))
        if big:
            self._as_made = _seen(connection)
        return _filled(connection) == known.filled

    @contextmanager
    def _inside(self, name: str) -> Iterator[Connection]:
        engine = create_engine(self._server.set(database=name), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            yield connection


def _seen(connection: Connection) -> _Template:
    return _Template(connection.execute(text(_SHAPE)).scalar_one(), _filled(connection))


def _filled(connection: Connection) -> dict[str, str]:
    """The tables that have rows, with what is in them."""
    digest = "SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM"
    tables = [str(row.name) for row in connection.execute(text(_TABLES))]
    rows = connection.execute(text(" UNION ALL ".join(f"SELECT '{one}', ({digest} {one} t)" for one in tables)))
    return {name: found for name, found in rows if found is not None}
