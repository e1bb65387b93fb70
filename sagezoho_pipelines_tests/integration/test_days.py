"""Days are the connection's own, wherever Zoho's user, Sage and this machine are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import new_account, orders, won_deal

FIRST_OF_APRIL = date(2026, 4, 1)
#: An hour after the first of April began, and an hour before it ended, with the zone that counts.
NEAR_ITS_ENDS = [
    ("Pacific/Kiritimati", datetime(2026, 3, 31, 11, tzinfo=UTC), datetime(2026, 4, 1, 9, tzinfo=UTC)),
    ("Pacific/Pago_Pago", datetime(2026, 4, 1, 12, tzinfo=UTC), datetime(2026, 4, 2, 10, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 3, 31, 23, tzinfo=UTC), datetime(2026, 4, 1, 21, tzinfo=UTC)),
]


@contextmanager
def desk_in(engine: Engine, zone: str, start: str = "") -> Iterator[Bench]:
    """The sandbox shows Zoho's times as a user in Kolkata sees them."""
    flows = {"orders": {"start": start}}
    with bench(engine, vendors=2, deals=0, flows=flows) as desk:
        desk.settings = desk.settings.model_copy(update={"timezone": zone})
        yield desk


def won_at(desk: Bench, account: str, at: datetime) -> str:
    desk.sandbox.clock.set(at)
    return won_deal(desk, account, closing_date="2026-03-09")


@pytest.mark.parametrize(("zone", "early", "late"), NEAR_ITS_ENDS)
def test_the_first_day_of_orders_begins_where_the_connection_is(
    engine: Engine, zone: str, early: datetime, late: datetime
) -> None:
    with desk_in(engine, zone, start="2026-04-01") as desk:
        account = new_account(desk)
        won_at(desk, account, early - timedelta(hours=2))
        wanted = [won_at(desk, account, early), won_at(desk, account, late)]
        assert desk.sync("customers", "orders").left_over == 0
        assert sorted(str(row["OrderReference"]).strip() for row in orders(desk)) == sorted(wanted)


@pytest.mark.parametrize(("zone", "early", "late"), NEAR_ITS_ENDS)
def test_a_backfill_of_a_day_reads_the_day_of_the_connection(
    engine: Engine, zone: str, early: datetime, late: datetime
) -> None:
    with desk_in(engine, zone) as desk:
        account = new_account(desk)
        wanted = [won_at(desk, account, early), won_at(desk, account, late)]
        desk.sync("customers", "orders", window=Window.days(FIRST_OF_APRIL, FIRST_OF_APRIL))
        assert sorted(str(row["OrderReference"]).strip() for row in orders(desk)) == sorted(wanted)
