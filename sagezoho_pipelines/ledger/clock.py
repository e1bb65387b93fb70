"""One clock for all processes of an installation, on all machines: the database server's.

Leases, retries, rests and days are moments that one process writes and another compares with: where the machines' own
clocks differ, one would take what the other still holds, and a change would be due later for one than for the other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from sagezoho_pipelines.domain.errors import SagezohoError

#: Seconds for which the time that the database told is counted on.
LOOK_EVERY = 60.0
#: Seconds for which a database that failed is not asked again.
LOOK_AGAIN = 30.0
#: Seconds by which this machine's clock may leave the counted ones before it was set, or the machine slept.
_STEADY = 2.0

_NOW = text("SELECT clock_timestamp()")

_FAILURES = (SagezohoError, SQLAlchemyError, OSError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the time was when monotonic seconds stood at `counted`, and what this machine's clock said then."""

    time: datetime
    counted: float
    own: datetime


class DatabaseClock:
    """Called, it gives the time; thread-safe, and never raises: while there is no database it goes on by itself, or by
    this machine's clock (`own`) where there never was one. `database` is asked for at first use."""

    def __init__(
        self,
        database: Callable[[], Engine],
        *,
        own: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._own, self._monotonic = database, own, monotonic
        self._looking = threading.Lock()
        self._last: _Look | None = None
        self._next_look = float("-inf")

    def __call__(self) -> datetime:
        last, counted = self._last, self._monotonic()
        if last is None or counted >= self._next_look or not self._is_steady(last, counted):
            return self._looked()
        return last.time + timedelta(seconds=counted - last.counted)

    def _looked(self) -> datetime:
        # Whoever comes while another thread looks goes by the last look, if there was one.
        if self._due() and self._looking.acquire(blocking=self._last is None):
            try:
                if self._due():
                    self._look()
            finally:
                self._looking.release()
        last = self._last
        return self._own() if last is None else last.time + timedelta(seconds=self._monotonic() - last.counted)

    def _due(self) -> bool:
        last, counted = self._last, self._monotonic()
        return counted >= self._next_look or (last is not None and not self._is_steady(last, counted))

    def _is_steady(self, last: _Look, counted: float) -> bool:
        passed = (self._own() - last.own).total_seconds() - (counted - last.counted)
        return abs(passed) < _STEADY

    def _look(self) -> None:
        before = self._monotonic()
        try:
            with self._database().connect() as connection:
                told: datetime = connection.execute(_NOW).scalar_one()
        except _FAILURES as error:
            _log.warning("the database does not tell the time: %s", error)
            self._next_look = self._monotonic() + LOOK_AGAIN
            if self._last is not None:  # whatever has become of our own clock
                at = self._monotonic()
                counted = self._last.time + timedelta(seconds=at - self._last.counted)
                self._last = _Look(counted, at, self._own())
            return
        after = self._monotonic()
        self._last = _Look(told, (before + after) / 2, self._own())
        self._next_look = after + LOOK_EVERY
