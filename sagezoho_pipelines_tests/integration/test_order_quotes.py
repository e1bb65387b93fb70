"""Quotes that change after their deal was ordered or refused: the order is held against them, the refusal is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


@pytest.fixture(params=[-2, 0, 2])
def apart(desk: Bench, request: pytest.FixtureRequest) -> Bench:
    """A desk whose clock is so many hours ahead of Zoho's."""
    desk.later(hours=request.param)
    return desk


def _later(desk: Bench, minutes: float) -> None:
    desk.later(minutes=minutes)
    desk.sandbox.clock.advance(timedelta(minutes=minutes))


def _quote(desk: Bench, deal: str, quantity: int, stage: str = "Closed Won") -> str:
    lines = [{"product_code": "A1-105/0", "quantity": quantity, "price": 25}]
    return str(desk.act("zoho_crm", "add_quote", deal_id=deal, lines=lines, stage=stage)["id"])


def _edit(desk: Bench, quote: str, **values: Any) -> None:
    desk.act("zoho_crm", "edit_record", module="Quotes", id=quote, values=values)


def _ordered(desk: Bench) -> tuple[str, str, str]:
    """A deal with an order made of its quote: the deal, the quote, the order's number."""
    deal = won_deal(desk, new_account(desk))
    quote = _quote(desk, deal, 4)
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    return deal, quote, str(order["OrderNumber"])


def test_an_order_whose_quote_is_replaced_is_told_to_a_person_once(desk: Bench) -> None:
    deal, quote, number = _ordered(desk)
    assert desk.sync("orders").outcomes == {}
    other = _quote(desk, deal, 7, stage="Draft")
    _edit(desk, quote, Quote_Stage="Closed Lost")
    desk.act("zoho_crm", "accept_quote", quote_id=other)
    assert desk.sync("orders").count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    words = f"the deal changed after it became order {number}: the lines (100.00, now 175.00) would differ"
    assert (entry["key"], entry["error"]["text"]) == (deal, words)
    assert desk.sync("orders").left_over == 0
    assert inbox(desk) == [entry]
    desk.dismiss_inbox(deal)
    desk.sync("orders")
    _later(desk, 10)
    desk.sync("orders")
    assert desk.sync("orders").outcomes == {}
    assert inbox(desk) == []
    assert len(orders(desk)) == 1


def test_a_second_quote_that_is_accepted_after_the_order_is_told_of(desk: Bench) -> None:
    deal, quote, number = _ordered(desk)
    other = _quote(desk, deal, 1)
    assert desk.sync("orders").count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    assert entry["error"]["text"].startswith(
        f"the deal changed after it became order {number}: the deal has 2 accepted"
    )
    assert quote in entry["error"]["text"]
    _edit(desk, other, Quote_Stage="Closed Lost")
    assert desk.sync("orders").left_over == 0
    assert inbox(desk) == []


def test_a_quote_that_is_lost_after_its_order_is_told_of_whatever_our_clock_says(apart: Bench) -> None:
    deal, quote, number = _ordered(apart)
    _later(apart, 20)
    _edit(apart, quote, Quote_Stage="Closed Lost")
    _later(apart, 20)
    assert apart.sync("orders").count(Outcome.CONFLICTED) == 1
    [entry] = inbox(apart)
    assert entry["key"] == deal
    assert f"after it became order {number}" in entry["error"]["text"]
    apart.dismiss_inbox(deal)
    _later(apart, 20)
    apart.sync("orders")
    assert apart.sync("orders").outcomes == {}


def test_a_refusal_is_over_once_its_quote_changes_whatever_our_clock_says(apart: Bench) -> None:
    deal = won_deal(apart, new_account(apart))
    quotes = [_quote(apart, deal, 4), _quote(apart, deal, 7)]
    draft = _quote(apart, deal, 9, stage="Draft")
    _later(apart, 20)
    assert apart.sync("customers", "orders").count(Outcome.REFUSED) == 1
    _later(apart, 20)
    assert apart.sync("orders").outcomes == {}
    _edit(apart, draft, Quote_Stage="Closed Lost")
    for quote in quotes:
        _edit(apart, quote, Quote_Stage="Closed Lost")
    _later(apart, 20)
    assert apart.sync("orders").left_over == 0, inbox(apart)
    assert inbox(apart) == []


def test_a_quote_that_is_edited_without_changing_the_order_is_no_matter(desk: Bench) -> None:
    _deal, quote, _number = _ordered(desk)
    _edit(desk, quote, Subject="Quote, as signed")
    assert desk.sync("orders").left_over == 0
    _later(desk, 10)
    desk.sync("orders")
    assert desk.sync("orders").outcomes == {}
    assert inbox(desk) == []


def test_a_refused_deal_follows_its_quote_by_itself(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    quotes = [_quote(desk, deal, 4), _quote(desk, deal, 7)]
    assert desk.sync("customers", "orders").count(Outcome.REFUSED) == 1
    assert inbox(desk)[0]["error"]["code"] == "SEVERAL_QUOTES"
    _edit(desk, quotes[0], Quote_Stage="Closed Lost")
    assert desk.sync("orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    assert [line["QuantityOrdered"] for line in order["OrderDetails"]] == [7]
    assert inbox(desk) == []


def test_quotes_that_give_no_lines_are_not_asked_about(engine: Engine) -> None:
    with bench(engine, vendors=2, deals=0, flows={"orders": {"lines": ["amount"]}}) as desk:
        _ordered(desk)
        desk.reset_counters()
        assert desk.sync("orders").outcomes == {}
        calls = desk.sandbox.zoho_crm.world.counters.snapshot()["by_call"]
        assert [call for call in calls if "Quotes" in call] == []
