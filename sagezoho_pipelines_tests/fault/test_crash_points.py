"""A process killed at every labelled point of every flow; the next one finishes its work, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines_tests.fault.scene import THOROUGH, Scene, scene

KILLED = -9

_ALWAYS = ("before page", "page durable", "claimed", "before settle", "settled", "before send", "sent", "answered")
_CREATES = (*_ALWAYS, "before intent", "intent written")
#: Killed at the second hit too.
_TWICE = ("sent", "answered", "settled", "page durable") if THOROUGH else ("sent",)
_TOKEN = ("before refresh", "refreshed", "token kept")

#: What has to run after a kill in a flow, for all its news to have arrived.
_AFTER = {"vendors": ["vendors"], "customers": ["customers", "orders"], "orders": ["orders"], "invoices": ["invoices"]}

POINTS = {"vendors": _ALWAYS, "customers": _CREATES, "orders": _CREATES, "invoices": _CREATES}


@pytest.fixture
def day(engine: Engine) -> Iterator[Scene]:
    with scene(engine, seed=5, vendors=3) as made:
        yield made


def _work_for(day: Scene, flow: str) -> None:
    """News for the flow, with what comes before it delivered."""
    if flow == "vendors":
        day.vendor()
        day.rename_vendor()
        day.bill()
    elif flow in ("customers", "orders"):
        account = day.account()
        day.deal(account)
        day.deal(account)
        if flow == "orders":
            day.desk.sync("customers")
    else:
        day.deal()
        day.desk.sync("orders")
        day.ship()
        day.service()


@pytest.mark.parametrize("flow", POINTS)
def test_a_kill_at_any_point_neither_loses_nor_doubles(day: Scene, flow: str, receipts: Path) -> None:
    assert day.process() == 0
    for label in POINTS[flow]:
        for hit in (1, 2) if label in _TWICE else (1,):
            _work_for(day, flow)
            code = day.process(flows=[flow], die_at=(label, hit))
            assert code == KILLED or hit > 1, f"{flow} never came to {label!r}"
            day.injected += code == KILLED
            day.pass_leases()
            assert day.process(flows=_AFTER[flow]) == 0
            verdict = day.audit()
            assert verdict.clean, f"killed at {label!r} ({hit}):\n{verdict}"
    day.close(f"crash points of {flow}", receipts)


@pytest.mark.parametrize("flow", POINTS)
def test_a_kill_while_a_token_is_refreshed_leaves_no_lock(day: Scene, flow: str, receipts: Path) -> None:
    for label in _TOKEN:
        _work_for(day, flow)
        with day.desk.engine.begin() as connection:
            connection.execute(text("DELETE FROM sagezoho.tokens"))
        assert day.process(flows=[flow], die_at=(label, 1)) == KILLED, label
        day.injected += 1
        day.pass_leases()
        assert day.process(flows=_AFTER[flow]) == 0
        day.later(minutes=10)  # Zoho grants ten tokens in ten minutes
    day.close(f"token refreshed for {flow}", receipts)


def test_two_kills_in_a_row_at_the_same_point_change_nothing(day: Scene, receipts: Path) -> None:
    day.deal()
    for label in ("sent", "answered", "before settle"):
        assert day.process(flows=["orders"], die_at=(label, 1)) == KILLED
        day.injected += 1
        day.pass_leases()
    assert day.process() == 0
    day.close("kills in a row", receipts)


def test_an_account_edited_after_the_kill_is_a_customer_as_it_is_now(day: Scene, receipts: Path) -> None:
    account = day.account()
    day.deal(account)
    assert day.process(flows=["customers"], die_at=("sent", 1)) == KILLED
    day.edit_account(account, Phone="604-555-7777")
    day.pass_leases()
    assert day.process() == 0
    [customer] = [row for row in day.desk.state("sage300", "ARCustomers") if row["CustomerNumber"] == "Z000001"]
    assert str(customer["PhoneNumber"]).strip() == "604-555-7777"
    day.close("edited after a kill", receipts)


def test_a_deal_edited_after_the_kill_is_in_the_inbox_with_its_order(day: Scene, receipts: Path) -> None:
    deal = day.deal()
    day.process(flows=["customers"])
    assert day.process(flows=["orders"], die_at=("sent", 1)) == KILLED
    day.desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Deal_Name": "Another name"})
    day.pass_leases()
    for _ in range(2):
        assert day.process() == 0
        assert [(entry["key"], entry["code"]) for entry in day.inbox()] == [(deal, "ORDER_EXISTS")]
    day.close("deal edited after a kill", receipts, asked={"ORDER_EXISTS"})
