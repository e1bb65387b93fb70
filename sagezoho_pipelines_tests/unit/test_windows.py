"""Ranges of days as instants, on the days of the year on which that is not plain."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sagezoho_pipelines.engine.windows import Window


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("UTC", date(2028, 2, 29), datetime(2028, 2, 29, tzinfo=UTC), 24),
        ("Pacific/Kiritimati", date(2026, 12, 31), datetime(2026, 12, 30, 10, tzinfo=UTC), 24),
        ("Pacific/Pago_Pago", date(2026, 12, 31), datetime(2026, 12, 31, 11, tzinfo=UTC), 24),
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        ("Europe/Berlin", date(2026, 10, 25), datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        # No midnight: the clocks go from 24:00 to 1:00.
        ("Asia/Beirut", date(2026, 3, 29), datetime(2026, 3, 28, 22, tzinfo=UTC), 23),
        # Two midnights: the clocks go from 1:00 back to 0:00.
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
    ],
)
def test_a_day_lasts_from_its_first_instant_to_that_of_the_next(
    zone: str, day: date, begins: datetime, hours: int
) -> None:
    there = ZoneInfo(zone)
    assert Window.days(day, day).instants(there) == (begins, begins + timedelta(hours=hours))


def test_days_follow_one_another_without_a_gap() -> None:
    there = ZoneInfo("America/Havana")
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(366)]
    bounds = [Window.days(day, day).instants(there) for day in days]
    assert [end for _, end in bounds[:-1]] == [start for start, _ in bounds[1:]]
    assert Window.days(days[0], days[-1]).instants(there) == (bounds[0][0], bounds[-1][1])
