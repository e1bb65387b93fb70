"""What the queue holds that somebody should deliver now, whether a worker waits for it, and word of new changes."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg2  # type: ignore[import-untyped]
from sqlalchemy import URL, Engine, text

from sagezoho_pipelines.domain.records import Cause, EntityRef, System
from sagezoho_pipelines.ledger.capture import CHANNEL
from sagezoho_pipelines.ledger.postgres import connect_arguments

log = logging.getLogger(__name__)

#: Held, shared, by every worker that waits for changes.
_PRESENCE = 0x5A6E_2041

# The same changes that a claim would take: due, or claimed under a lease that ran out. Not those of a flow that waits
# for a person: whoever delivers asks that question first, and would leave them.
_DUE = text("""
SELECT d.connection, d.system, d.entity, count(*) AS changes, min(d.since) AS since, min(d.id) AS first,
       max(d.id) AS last, array_agg(DISTINCT d.cause) AS causes,
       bool_or(d.attempts > 0 OR d.cause IN ('notification', 'retry')) AS urgent
FROM (
    SELECT c.*, CASE c.state WHEN 'claimed' THEN c.lease_until ELSE c.next_attempt_at END AS since
    FROM sagezoho.changes c WHERE c.state IN ('queued', 'claimed')
) d
WHERE d.since <= :at AND (d.state = 'claimed' OR NOT EXISTS (
    SELECT 1 FROM sagezoho.changes o
    WHERE o.state = 'claimed' AND o.connection = d.connection AND o.system = d.system AND o.entity = d.entity
      AND o.key = d.key))
  AND NOT EXISTS (SELECT 1 FROM sagezoho.pauses p WHERE p.connection = d.connection AND p.until > :at)
  AND NOT EXISTS (SELECT 1 FROM sagezoho.holds h
                  WHERE h.connection = d.connection AND h.system = d.system AND h.entity = d.entity)
GROUP BY d.connection, d.system, d.entity
ORDER BY d.connection, d.system, d.entity
""")

_ATTENDED = text("SELECT NOT pg_try_advisory_xact_lock(:presence)")


@dataclass(frozen=True, slots=True)
class Due:
    """One entity's changes that can be claimed now; `since` is when the oldest became due.

    `urgent` when Zoho told us of one, a person asked for it, or it is due another attempt: what a poll has just
    captured is delivered by the run that polls.
    """

    entity: EntityRef
    changes: int
    since: datetime
    first: int
    last: int
    causes: frozenset[Cause]
    urgent: bool


def due_changes(engine: Engine, *, at: datetime) -> list[Due]:
    """What could be claimed at `at`, by entity. Raises LedgerUnavailable."""
    with engine.connect() as connection:
        return [
            Due(
                EntityRef(row.connection, System(row.system), row.entity),
                changes=row.changes,
                since=row.since,
                first=row.first,
                last=row.last,
                causes=frozenset(Cause(cause) for cause in row.causes),
                urgent=row.urgent,
            )
            for row in connection.execute(_DUE, {"at": at})
        ]


def attended(engine: Engine) -> bool:
    """Whether a worker waits for changes, on whatever machine. Raises LedgerUnavailable."""
    with engine.connect() as connection:
        return bool(connection.execute(_ATTENDED, {"presence": _PRESENCE}).scalar_one())


class Listener:
    """A connection of a worker's own that hears of new changes. Not thread-safe, but for `wake`.

    It opens itself again after Postgres was away. The locks it holds are Postgres' own: they end with the session.
    """

    def __init__(self, url: URL) -> None:
        self._arguments = {
            **url.translate_connect_args(database="dbname", username="user"),
            **url.query,
            **connect_arguments(url, application_name="sagezoho worker"),
        }
        self._session: psycopg2.extensions.connection | None = None
        self._bell, self._waker = socket.socketpair()
        self._bell.setblocking(False)
        self._waker.setblocking(False)

    def wake(self) -> None:
        """End a wait early: from another thread or from a signal handler."""
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b"!")

    def wait(self, seconds: float) -> bool:
        """Until there is word of changes, somebody wakes us, or the time is over. True when there may be news.

        False when Postgres cannot be reached: then nothing else will work either.
        """
        if self._session is None and not self._connect():
            self._rest(seconds)
            return False
        ready = self._select([self._session, self._bell], seconds)
        self._silence()
        return self._session not in ready or self._heard()

    def hold(self, name: str) -> bool:
        """Whether this worker is the one that holds `name` now, among all of them."""
        return self._ask("SELECT pg_try_advisory_lock(hashtextextended(%s, 2041))", name)

    def let_go(self, name: str) -> None:
        self._ask("SELECT pg_advisory_unlock(hashtextextended(%s, 2041))", name)

    def close(self) -> None:
        self._drop()
        self._bell.close()
        self._waker.close()

    def _connect(self) -> bool:
        try:
            self._session = psycopg2.connect(**self._arguments)
            self._session.autocommit = True
            with self._session.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
                cursor.execute("SELECT pg_advisory_lock_shared(%s)", (_PRESENCE,))
        except psycopg2.Error as error:
            log.warning("Postgres cannot be reached: %s", str(error).strip())
            self._drop()
            return False
        self.wake()  # what was announced while nobody listened
        return True

    def _heard(self) -> bool:
        assert self._session is not None
        try:
            self._session.poll()
        except psycopg2.Error:
            self._drop()
            return False
        self._session.notifies.clear()
        return True

    def _ask(self, question: str, name: str) -> bool:
        if self._session is None:
            return False
        try:
            with self._session.cursor() as cursor:
                cursor.execute(question, (name,))
                return bool(cursor.fetchone()[0])
        except psycopg2.Error:
            self._drop()
            return False

    def _drop(self) -> None:
        if self._session is not None:
            with contextlib.suppress(psycopg2.Error):
                self._session.close()
        self._session = None

    def _rest(self, seconds: float) -> None:
        self._select([self._bell], seconds)
        self._silence()

    def _silence(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass

    @staticmethod
    def _select(sources: Sequence[object], seconds: float) -> list[object]:
        ready, _, _ = select.select(sources, [], [], max(seconds, 0))  # type: ignore[type-var]
        return list(ready)
