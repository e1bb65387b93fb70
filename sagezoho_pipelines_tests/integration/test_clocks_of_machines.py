"""Several machines work on one installation, and their clocks differ: the database's is the one that counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine
from sqlalchemy.exc import OperationalError

from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine.ports import Sage300
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger.clock import LOOK_AGAIN, LOOK_EVERY, DatabaseClock
from sagezoho_pipelines.wiring import Installation
from sagezoho_pipelines_tests.integration.defs_site import CONNECTION, Site, opened

_ADDRESS = {
    "Billing_Street": "1 Quay", "Billing_City": "Vancouver", "Billing_State": "BC", "Billing_Code": "V6B",
    "Billing_Country": "Canada",
}  # fmt: skip
A_MOMENT = timedelta(minutes=10)


@pytest.fixture
def site(postgres_url: URL, tmp_path: Path) -> Iterator[Site]:
    with opened(postgres_url, tmp_path, deals=0) as made:
        yield made


def another_machine(site: Site, **ahead: float) -> Installation:
    """Whose clock is so far ahead."""
    there = site.installation
    return Installation(there.env, settings=there.settings, own_clock=lambda: datetime.now(UTC) + timedelta(**ahead))


class Meanwhile:
    """Sage, to which an order is on its way while something else happens."""

    def __init__(self, sage: Sage300, happens: Any) -> None:
        self._sage, self._happens = sage, happens

    def create(self, entity_set: str, body: Row) -> Row:
        if entity_set == "OE/OEOrders":
            self._happens()
        return self._sage.create(entity_set, body)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sage, name)


@pytest.mark.parametrize("minutes", [-30, 30])
def test_a_machine_whose_clock_is_wrong_takes_nothing_that_another_one_holds(site: Site, minutes: int) -> None:
    people = site.sandbox.zoho_crm.world.actions
    account = people["add_account"]({"name": "Harbour Lights Ltd", "values": _ADDRESS})["id"]
    deal = people["add_deal"](
        {"name": "Refit", "account_id": account, "amount": "9", "stage": "Closed Won", "closing_date": "2026-03-09"}
    )["id"]
    with another_machine(site, minutes=minutes) as elsewhere:
        here, there = (
            one.context(CONNECTION, run_id=name, actor="test")
            for one, name in ((site.installation, "here"), (elsewhere, "there"))
        )
        run_flow(here, "customers", Window.incremental())
        slowly = Meanwhile(here.sage, lambda: run_flow(there, "orders", Window.incremental()))
        run_flow(replace(here, sage=slowly), "orders", Window.incremental())  # type: ignore[arg-type]
    made = [row for row in site.sandbox.sage300.world.state("OEOrders") if str(row["OrderReference"]).strip() == deal]
    assert len(made) == 1


@pytest.mark.parametrize("hours", [-3, 3])
def test_what_one_machine_queues_is_due_on_all(site: Site, hours: int) -> None:
    with another_machine(site, hours=hours) as elsewhere:
        assert abs(elsewhere.clock() - site.installation.clock()) < A_MOMENT


class Machine:
    """A clock and a count of seconds that a test moves."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC) + timedelta(hours=1)
        self.seconds = 0.0
        self.looks = 0
        self.down = False

    def passes(self, seconds: float, *, counted: bool = True) -> None:
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds if counted else 0.0

    def clock(self, engine: Engine) -> DatabaseClock:
        def database() -> Engine:
            self.looks += 1
            if self.down:
                raise OperationalError("SELECT", {}, Exception("gone"))
            return engine

        return DatabaseClock(database, own=lambda: self.time, monotonic=lambda: self.seconds)


def test_the_database_is_asked_once_a_minute_and_counted_on_between(engine: Engine) -> None:
    machine = Machine()
    clock = machine.clock(engine)
    first = clock()
    assert abs(first - datetime.now(UTC)) < A_MOMENT
    machine.passes(LOOK_EVERY - 1)
    assert clock() == first + timedelta(seconds=LOOK_EVERY - 1)
    assert machine.looks == 1
    machine.passes(1)
    clock()
    assert machine.looks == 2


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_a_machine_that_slept_or_whose_clock_was_set_asks_at_once(engine: Engine, seconds: int) -> None:
    machine = Machine()
    clock = machine.clock(engine)
    first = clock()
    machine.passes(seconds, counted=False)
    assert abs(clock() - first) < A_MOMENT
    assert machine.looks == 2
    clock()
    assert machine.looks == 2


def test_without_a_database_the_time_goes_on(engine: Engine) -> None:
    machine = Machine()
    machine.down = True
    clock = machine.clock(engine)
    assert clock() == machine.time
    machine.passes(LOOK_AGAIN)
    machine.down = False
    first = clock()
    assert abs(first - datetime.now(UTC)) < A_MOMENT
    machine.down = True
    machine.passes(LOOK_EVERY)
    machine.passes(-3600, counted=False)
    assert clock() == first + timedelta(seconds=LOOK_EVERY)
    assert clock() == first + timedelta(seconds=LOOK_EVERY)
    assert machine.looks == 3
