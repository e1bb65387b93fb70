"""Edits between our read and our write, on either side: nothing is overwritten unseen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome, Row
from sagezoho_pipelines.engine.ports import Sage300
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import Bench
from sagezoho_pipelines_tests.integration import customer_pairs as of_customers
from sagezoho_pipelines_tests.integration import vendor_pairs as of_vendors
from sagezoho_pipelines_tests.integration.vendor_pairs import (
    account,
    at_desk,
    audited,
    in_sage,
    in_zoho,
    number_of,
    vendor,
)

OURS, QUICK = "555 0111", "555 0222"


class QuickSage:
    """Sage, at whose screen somebody edits a record right after the read that a delivery decides upon.

    A vendor is read twice until then, a customer once.
    """

    def __init__(self, sage: Sage300, edit: Callable[[], None]) -> None:
        self._sage = sage
        self._edit = edit
        self._left = {"AP/APVendors": 2, "AR/ARCustomers": 1}

    def get(self, entity_set: str, key: str | int, *, select: Sequence[str] = ()) -> Row | None:
        row = self._sage.get(entity_set, key, select=select)
        self._read(entity_set)
        return row

    def find(self, entity_set: str, **options: Any) -> list[Row]:
        rows = self._sage.find(entity_set, **options)
        self._read(entity_set)
        return rows

    def _read(self, entity_set: str) -> None:
        if entity_set in self._left:
            self._left[entity_set] -= 1
            if self._left[entity_set] == 0:
                self._edit()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sage, name)


def run(
    desk: Bench, flow: str, *, sage: Callable[[], None] | None = None, zoho: Callable[[], None] | None = None
) -> Tally:
    ctx = desk.context()
    if sage is not None:
        ctx = replace(ctx, sage=QuickSage(ctx.sage, sage))
    if zoho is not None:
        ctx = replace(ctx, zoho=of_vendors.EditsAfterReading(ctx.zoho, zoho))
    return run_flow(ctx, flow, Window.incremental())


@pytest.mark.parametrize("leader", ["zoho_crm", "newest"])
def test_a_vendor_edited_in_sage_before_our_write_is_compared_again(engine: Engine, leader: str) -> None:
    with at_desk(engine, vendors={"authority": leader}) as desk:
        number = number_of(desk)
        in_zoho(desk, number, Phone=OURS)
        assert run(desk, "identity", sage=lambda: in_sage(desk, number, PhoneNumber=QUICK)).count(Outcome.RETRYING) == 1
        assert vendor(desk, number)["PhoneNumber"] == QUICK
        desk.later(minutes=5)
        desk.sync("vendors", "identity")
        if leader == "newest":
            [asked] = desk.open_inbox()
            assert asked["error"]["details"]["fields"] == {"Phone": [QUICK, OURS]}
        else:
            assert vendor(desk, number)["PhoneNumber"] == OURS
            [entry] = audited(desk, number, "conflict")
            assert [(field.before, field.after) for field in entry.fields] == [(QUICK, OURS)]


def test_another_field_edited_in_sage_before_our_write_reaches_the_account(engine: Engine) -> None:
    with at_desk(engine, vendors={"authority": "newest"}) as desk:
        number = number_of(desk)
        in_zoho(desk, number, Phone=OURS)
        assert run(desk, "identity", sage=lambda: in_sage(desk, number, City="Oakland")).left_over == 0
        desk.sync("vendors", "identity")
        assert (vendor(desk, number)["PhoneNumber"], account(desk, number)["Billing_City"]) == (OURS, "Oakland")


def test_a_customer_edited_in_sage_before_our_write_is_compared_again(engine: Engine) -> None:
    with of_customers.at_desk(engine) as desk:
        of_customers.in_zoho(desk, Phone=OURS)
        edit = lambda: of_customers.in_sage(desk, PhoneNumber=QUICK)  # noqa: E731
        assert run(desk, "customers", sage=edit).count(Outcome.RETRYING) == 1
        assert of_customers.customer(desk)["PhoneNumber"] == QUICK
        desk.later(minutes=5)
        of_customers.settle(desk)
        assert of_customers.customer(desk)["PhoneNumber"] == OURS
        [entry] = of_customers.audited(desk, "conflict")
        assert [(field.before, field.after) for field in entry.fields] == [(QUICK, OURS)]


def test_an_account_edited_before_our_write_is_compared_again_whatever_else_is_in_the_batch(engine: Engine) -> None:
    """Zoho's own condition is one for all rows of a call: the newest of them lets an edit of another one pass."""
    with at_desk(engine) as desk:
        number, other = number_of(desk, 2), number_of(desk, 3)
        in_sage(desk, number, PhoneNumber=OURS)
        in_sage(desk, other, PhoneNumber=OURS)
        clock = desk.sandbox.zoho_crm.world.clock
        clock.advance(timedelta(minutes=1))
        in_zoho(desk, other, Fax="555 0333")
        clock.advance(timedelta(minutes=-1))
        assert run(desk, "vendors", zoho=lambda: in_zoho(desk, number, Phone=QUICK)).count(Outcome.RETRYING) == 1
        assert (account(desk, number)["Phone"], account(desk, other)["Phone"]) == (QUICK, OURS)
        desk.later(minutes=5)
        of_vendors.settle(desk)
        assert account(desk, number)["Phone"] == OURS
        [entry] = audited(desk, number, "conflict")
        assert [(field.before, field.after) for field in entry.fields] == [(QUICK, OURS)]
