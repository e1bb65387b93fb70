"""One transaction: begun again where it lost a race to another one, and Postgres' own trouble told as such."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from sagezoho_pipelines.domain.errors import LedgerUnavailable

Result = TypeVar("Result")

#: How often a transaction that lost a race to another one is tried.
ATTEMPTS = 5

DEADLOCK, SERIALIZATION, UNIQUE = "40P01", "40001", "23505"

# Everything here looks records up by key. On a first sync the tables grow faster than their statistics, and the
# planner would read them whole, again for every batch. Where there is no way round that, it looks so dear that a
# Postgres with a compiler would first compile it, each time, for longer than it takes.
_BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL jit = off"


def in_transaction(engine: Engine, work: Callable[[Connection], Result]) -> Result:
    """Run `work` in a transaction of its own; one that lost a race is rolled back and run again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(_BY_INDEX)
                return work(connection)
        except DBAPIError as error:
            if attempt < ATTEMPTS and _lost_a_race(error):
                continue
            if isinstance(error, OperationalError):
                raise _in_trouble(error) from None
            raise
    raise AssertionError("unreachable")


def _in_trouble(error: OperationalError) -> LedgerUnavailable:
    """A full disk, a lock that is never let go: Postgres' trouble, and no fault of the record at hand."""
    reason = (str(error.orig).strip().splitlines() or ["no reason given"])[0]
    return LedgerUnavailable(
        f"Postgres could not do what was asked: {reason}. Nothing of this step was kept; the next run does it again. "
        "Look at the server's disk, locks and limits."
    )


def _lost_a_race(error: DBAPIError) -> bool:
    """A unique violation counts where the next try sees the winner's row: queued changes and links."""
    state = sqlstate(error)
    if state in (DEADLOCK, SERIALIZATION):
        return True
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
    return state == UNIQUE and constraint.startswith(("changes_one_", "links_"))


def sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "pgcode", None)
    return state
