"""A vendor's push-back, noted for every process of every machine that calls it for the same connection.

Written by the database's clock and read as seconds that are left, so that the machines' clocks do not matter.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from sagezoho_pipelines.domain.errors import SagezohoError
from sagezoho_pipelines.domain.records import System

#: Seconds between two looks of one process.
LOOK_EVERY = 1.0
#: Seconds for which a database that failed is left alone: callers must not wait for it again and again.
LOOK_AGAIN = 30.0

_FAILURES = (SagezohoError, SQLAlchemyError, OSError)

_NOTE = text("""
INSERT INTO sagezoho.pressure AS p (connection, system, until)
VALUES (:connection, :system, clock_timestamp() + :seconds * interval '1 second')
ON CONFLICT (connection, system) DO UPDATE SET until = EXCLUDED.until WHERE p.until < EXCLUDED.until
""")

_LEFT = text("""
SELECT CAST(extract(epoch FROM until - clock_timestamp()) AS float8) FROM sagezoho.pressure
WHERE connection = :connection AND system = :system
""")

_log = logging.getLogger(__name__)


class SharedPressure:
    """The push-back of one system against one connection. Thread-safe; never raises: a call needs no ledger to go out.

    `database` is asked for at first use; `clock` counts monotonic seconds.
    """

    def __init__(
        self, database: Callable[[], Engine], connection: str, system: System, *, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._key = {"connection": connection, "system": str(system)}
        self._clock = clock
        self._looking = threading.Lock()
        self._next_look = float("-inf")
        self._away_until = float("-inf")

    def note(self, seconds: float) -> None:
        """Nobody is to call for so many seconds from now; a longer rest that is noted already stays."""
        if self._clock() < self._away_until:
            return
        try:
            with self._database().begin() as connection:
                connection.execute(_NOTE, {**self._key, "seconds": seconds})
        except _FAILURES as error:
            self._failed(error)

    def left(self) -> float | None:
        """Seconds until calls may go out again, negative once they may; None where nothing is known or it is too
        early to look again. Whoever comes while another thread looks is not kept waiting."""
        if not self._looking.acquire(blocking=False):
            return None
        try:
            now = self._clock()
            if now < max(self._next_look, self._away_until):
                return None
            self._next_look = now + LOOK_EVERY
            with self._database().connect() as connection:
                found = connection.execute(_LEFT, self._key).scalar_one_or_none()
            return None if found is None else float(found)
        except _FAILURES as error:
            self._failed(error)
            return None
        finally:
            self._looking.release()

    def _failed(self, error: Exception) -> None:
        self._away_until = self._clock() + LOOK_AGAIN
        connection, system = self._key.values()
        _log.warning("%s: for now, push-back of %s is not shared with other processes: %s", connection, system, error)
