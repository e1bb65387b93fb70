"""An order stands in Sage, and its deal is lost, deleted or reopened since: a person is told once, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.links import LinkEdits
from sagezoho_pipelines.domain.records import Cause, Look, Outcome
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import CONNECTION, Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


@pytest.fixture
def early(engine: Engine) -> Iterator[Bench]:
    """A firm that orders when it makes its offer."""
    with bench(engine, vendors=2, deals=0, flows={"orders": {"stages": ["Proposal/Price Quote"]}}) as made:
        yield made


def _ordered(desk: Bench, stage: str = "Closed Won") -> tuple[str, str]:
    """A deal that has its order, and the order's number."""
    deal = won_deal(desk, new_account(desk))
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage=stage)
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    return deal, str(order["OrderNumber"])


def _move(desk: Bench, deal: str, stage: str) -> None:
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage=stage)


def _hear(desk: Bench, deal: str) -> None:
    look = Look(desk.context().zoho_entity("deals"), deal, Cause.NOTIFICATION, "Zoho told of update")
    desk.ledger.enqueue([look], at=desk.now())


def _shown(desk: Bench, deal: str) -> tuple[Any, Any, Any]:
    [row] = [one for one in desk.state("zoho_crm", "Deals") if str(one["id"]) == deal]
    return row["Sage_Order_Number"], row["Sage_Sync_Status"], row["Sage_Sync_Message"]


@pytest.mark.parametrize("heard", [True, False])
def test_an_order_whose_deal_is_moved_back_to_an_open_stage_is_told_to_a_person_once(desk: Bench, heard: bool) -> None:
    deal, number = _ordered(desk)
    _move(desk, deal, "Negotiation/Review")
    if heard:
        _hear(desk, deal)
    assert desk.sync("orders", window=Window.sweep()).count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    assert entry["error"]["code"] == "ORDER_UNWANTED"
    assert entry["error"]["text"] == f"the deal was moved back to Negotiation/Review after it became order {number}"
    assert "once the deal is won again, this ends by itself" in entry["error"]["advice"]
    shown = _shown(desk, deal)
    assert shown[:2] == (number, "In conflict")
    assert shown[2].startswith(f"the deal was moved back to Negotiation/Review after it became order {number}. Ask")
    _hear(desk, deal)  # our own write to the deal
    assert desk.sync("orders", window=Window.sweep()).left_over == 0
    assert inbox(desk) == [entry]
    assert len(orders(desk)) == 1


@pytest.mark.parametrize("heard", [True, False])
def test_a_reopened_deal_that_is_won_again_leaves_nothing_to_do(desk: Bench, heard: bool) -> None:
    deal, number = _ordered(desk)
    _move(desk, deal, "Negotiation/Review")
    if heard:
        _hear(desk, deal)
        assert desk.sync("orders").count(Outcome.CONFLICTED) == 1
    else:
        assert desk.sync("orders", window=Window.sweep()).count(Outcome.CONFLICTED) == 1
    _move(desk, deal, "Closed Won")
    assert desk.sync("orders").left_over == 0
    assert inbox(desk) == []
    assert _shown(desk, deal) == (number, "In Sage 300", None)
    assert desk.sync("orders").outcomes == {}
    assert len(orders(desk)) == 1


def test_an_order_that_was_let_stand_is_told_of_again_when_its_deal_is_lost_after_all(desk: Bench) -> None:
    deal, number = _ordered(desk)
    _move(desk, deal, "Negotiation/Review")
    _hear(desk, deal)
    desk.sync("orders")
    desk.dismiss_inbox(deal)
    _move(desk, deal, "Needs Analysis")
    _hear(desk, deal)
    desk.sync("orders")
    assert inbox(desk) == []
    _move(desk, deal, "Closed Lost")
    _hear(desk, deal)
    desk.sync("orders")
    [entry] = inbox(desk)
    assert entry["error"]["text"] == f"the deal was lost after it became order {number}"
    desk.dismiss_inbox(deal)
    _move(desk, deal, "Needs Analysis")
    _hear(desk, deal)
    desk.sync("orders")
    assert inbox(desk) == []


@pytest.mark.parametrize("stage", ["Proposal/Price Quote", "Negotiation/Review", "Closed Won"])
def test_a_deal_that_moves_on_from_the_stage_that_ordered_it_is_business_as_usual(early: Bench, stage: str) -> None:
    deal, _ = _ordered(early, "Proposal/Price Quote")
    _move(early, deal, stage)
    _hear(early, deal)
    assert early.sync("orders", window=Window.sweep()).left_over == 0
    assert inbox(early) == []


def test_a_deal_that_goes_back_behind_the_stage_that_ordered_it_is_told_of(early: Bench) -> None:
    deal, number = _ordered(early, "Proposal/Price Quote")
    _move(early, deal, "Needs Analysis")
    _hear(early, deal)
    assert early.sync("orders").count(Outcome.CONFLICTED) == 1
    [entry] = inbox(early)
    assert entry["error"]["text"] == f"the deal was moved back to Needs Analysis after it became order {number}"


def test_stages_that_are_configured_anew_alarm_nobody(early: Bench) -> None:
    deal, _ = _ordered(early, "Proposal/Price Quote")
    _move(early, deal, "Negotiation/Review")
    flows = early.settings.flows
    late = flows.model_copy(update={"orders": flows.orders.model_copy(update={"stages": ()})})
    early.settings = early.settings.model_copy(update={"flows": late})
    _hear(early, deal)
    assert early.sync("orders", window=Window.sweep()).left_over == 0
    assert inbox(early) == []


def test_an_order_that_people_linked_to_an_open_deal_stands_until_that_deal_goes_back(desk: Bench) -> None:
    deal, _ = _ordered(desk)
    with desk.engine.begin() as connection:  # as 'links add' makes it: who belongs together, and nothing that was said
        connection.exec_driver_sql(
            "UPDATE sagezoho.links SET written = '{}', source_digest = NULL, details = details - 'stage' "
            "WHERE sage_entity = 'orders'"
        )
    for stage, told in (("Value Proposition", 0), ("Negotiation/Review", 0), ("Qualification", 1)):
        _move(desk, deal, stage)
        _hear(desk, deal)
        desk.sync("orders")
        assert len(inbox(desk)) == told, stage


@pytest.mark.parametrize("dismissed", [True, False])
def test_an_order_that_was_deleted_in_sage_is_not_taken_for_there_when_its_deal_is_won_again(
    desk: Bench, dismissed: bool
) -> None:
    deal, number = _ordered(desk)
    _move(desk, deal, "Closed Lost")
    desk.sync("orders", window=Window.sweep())
    table = desk.sandbox.sage300.world.table("OEOrders")  # a person deletes it on Sage's own screen
    table.delete(*[table.key_of(row) for row in orders(desk)])
    if dismissed:
        desk.dismiss_inbox(deal)
    _move(desk, deal, "Closed Won")
    assert desk.sync("orders").count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    assert entry["error"]["code"] == "ORDER_GONE"
    assert entry["error"]["text"] == f"the deal asks for order {number} again, which is no longer in Sage 300"
    desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, Cause.SWEEP)], at=desk.now())
    desk.sync("orders")
    assert inbox(desk) == [entry], "a look that finds the same ends nothing"
    [link] = desk.ledger.links_by_zoho(CONNECTION, "Deals", "orders", [deal]).values()
    desk.ledger.edit_links(LinkEdits(remove=[link]), at=desk.now())  # as 'links remove' does
    desk.edit_inbox(deal)
    assert desk.sync("orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    assert _shown(desk, deal) == (str(order["OrderNumber"]), "In Sage 300", None)
    assert inbox(desk) == []


def test_whoever_says_that_a_deleted_order_was_carried_out_is_not_asked_again(desk: Bench) -> None:
    deal, _ = _ordered(desk)
    _move(desk, deal, "Closed Lost")
    desk.sync("orders", window=Window.sweep())
    table = desk.sandbox.sage300.world.table("OEOrders")
    table.delete(*[table.key_of(row) for row in orders(desk)])
    _move(desk, deal, "Closed Won")
    desk.sync("orders")
    desk.dismiss_inbox(deal)
    for cause in (Cause.SWEEP, Cause.NOTIFICATION):
        desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, cause)], at=desk.now())
        desk.sync("orders")
        assert inbox(desk) == []
    assert orders(desk) == []
