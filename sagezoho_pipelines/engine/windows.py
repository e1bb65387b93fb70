"""Which part of a source a capture reads: what is new, a range of days, or everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sagezoho_pipelines.domain.records import Cause


@dataclass(frozen=True, slots=True)
class Window:
    """`start` and `end` (both days included) are set for a range; a sweep reads all and finds deletions.

    `since` makes a poll begin no later than that moment, whatever the watermark says.
    """

    cause: Cause = Cause.POLL
    start: date | None = None
    end: date | None = None
    since: datetime | None = None

    def __str__(self) -> str:
        return f"{self.cause} of {self.start} to {self.end}" if self.is_range else str(self.cause)

    @classmethod
    def incremental(cls, cause: Cause = Cause.POLL) -> Window:
        return cls(cause)

    @classmethod
    def catching_up(cls, since: datetime) -> Window:
        """A poll that covers a time in which something may have been missed."""
        return cls(since=since)

    @classmethod
    def days(cls, start: date, end: date) -> Window:
        """Re-capture and re-deliver what changed on these days."""
        return cls(Cause.BACKFILL, start, end)

    @classmethod
    def sweep(cls) -> Window:
        return cls(Cause.SWEEP)

    @property
    def is_range(self) -> bool:
        return self.start is not None

    @property
    def is_sweep(self) -> bool:
        return self.cause is Cause.SWEEP

    def instants(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """When the range begins and ends there, the end excluded."""
        if self.start is None or self.end is None:
            raise ValueError("only a range of days has bounds")
        return beginning_of(self.start, zone), beginning_of(self.end + timedelta(days=1), zone)


def beginning_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a day, which is not midnight where the clocks are put forward then."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)
