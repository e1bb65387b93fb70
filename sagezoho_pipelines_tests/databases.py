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
from typing import Any

import psycopg2
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.dialects.postgresql.psycopg2 import dialect
from sqlalchemy.pool import NullPool

Cursor = Any

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
    """One worker's copies of a template, of which one is in use at a time.

    They are cleaned after each test, so plainly: no engine and no pool for a handful of statements.
    """

    def __init__(self, server: URL, worker: str, base: str) -> None:
        self._server, self._worker, self._base = server, worker, base
        self._maintenance = _session(server.set(database="postgres"))
        self._numbers = itertools.count(1)
        self._spare = ""
        self._uses = 0
        self._as_made: _Template | None = None

    @contextmanager
    def one(self) -> Iterator[URL]:
        name, self._spare = self._spare, ""
        if not name:
            name, self._uses = self._name(), 0
            engine = admin(self._server)
            _copy(engine, name, self._base)
            engine.dispose()
            with self._inside(name) as cursor:
                self._as_made = _seen(cursor)
        self._uses += 1
        try:
            yield self._server.set(database=name)
        finally:
            self._spare = self._cleaned(name)

    def close(self) -> None:
        if self._spare:
            self._drop(self._spare)
        self._maintenance.close()

    def _name(self) -> str:
        return f"test_{self._worker}_{next(self._numbers)}"

    def _drop(self, name: str) -> None:
        with self._maintenance.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _cleaned(self, name: str) -> str:
        """The name under which it can be used again; an empty one where it cannot."""
        again = self._name()
        try:
            if self._uses < _USES and self._renamed(name, again):
                with self._inside(again) as cursor:
                    if self._emptied(cursor):
                        return again
        except psycopg2.Error:
            pass  # it is not as it was: what the test did to it is the test's business
        for one in (name, again):
            self._drop(one)
        return ""

    def _renamed(self, name: str, again: str) -> bool:
        """Whether nobody uses it any more. Sessions are ended, which takes a moment."""
        with self._maintenance.cursor() as cursor:
            for _ in range(500):
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                if not cursor.fetchall():
                    cursor.execute(f"ALTER DATABASE {name} RENAME TO {again}")
                    return True
                time.sleep(0.002)
        return False

    def _emptied(self, cursor: Cursor) -> bool:
        """Whether it is like its template once all rows that came since are gone."""
        known = self._as_made
        if known is None or _shape(cursor) != known.shape:
            return False
        cursor.execute("SET session_replication_role = replica")  # or the audit refuses
        cursor.execute(_TABLES)
        tables = [(name, size) for name, size in cursor.fetchall() if name not in known.filled]
        big = [name for name, size in tables if size > _BIG_BYTES]
        cursor.execute("; ".join(f"DELETE FROM {name}" for name, _ in tables if name not in big))
        if big:
            cursor.execute(f"TRUNCATE {', '.join(big)} CASCADE")
        cursor.execute(_SEQUENCES)
        if big:
            self._as_made = _seen(cursor)
        return _filled(cursor) == known.filled

    @contextmanager
    def _inside(self, name: str) -> Iterator[Cursor]:
        session = _session(self._server.set(database=name))
        try:
            with session.cursor() as cursor:
                yield cursor
        finally:
            session.close()


def _session(url: URL) -> Any:
    args, options = dialect().create_connect_args(url)
    session = psycopg2.connect(*args, **options)
    session.autocommit = True
    return session


def _seen(cursor: Cursor) -> _Template:
    return _Template(_shape(cursor), _filled(cursor))


def _shape(cursor: Cursor) -> str:
    cursor.execute(_SHAPE)
    return str(cursor.fetchone()[0])


def _filled(cursor: Cursor) -> dict[str, str]:
    """The tables that have rows, with what is in them."""
    cursor.execute(_TABLES)
    digest = "SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM"
    cursor.execute(" UNION ALL ".join(f"SELECT '{name}', ({digest} {name} t)" for name, _ in cursor.fetchall()))
    return {name: found for name, found in cursor.fetchall() if found is not None}
