"""An order whose answer was lost is read back by its deal, and never posted twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.records import Cause, Look, Outcome
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.run import FLOWS
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import customers, inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


@pytest.mark.parametrize("fault", ["reset_after", "truncate"])
def test_a_lost_answer_is_read_back_and_not_sent_again(desk: Bench, fault: Any) -> None:
    deal = won_deal(desk, new_account(desk))
    desk.sandbox.sage300.world.faults.add(fault, method="POST", path="OEOrders|ARCustomers", times=2)
    assert desk.sync("orders").left_over == 0
    assert len(customers(desk)) == 1
    assert [str(order["OrderReference"]).strip() for order in orders(desk)] == [deal]
    answers = desk.query("SELECT answer FROM sagezoho.audit WHERE operation = 'create' ORDER BY seq")
    assert [entry["answer"]["read_back"] for entry in answers] == [True, True]


def test_a_request_that_never_arrived_is_sent_again_later(desk: Bench) -> None:
    won_deal(desk, new_account(desk))
    desk.sandbox.sage300.world.faults.add("reset_before", method="POST", path="OEOrders", times=1)
    assert desk.sync("orders").count(Outcome.RETRYING) == 1
    assert orders(desk) == []
    desk.later(minutes=5)
    assert desk.sync("orders").left_over == 0
    assert len(orders(desk)) == 1


def test_a_restored_ledger_does_not_post_an_order_again(desk: Bench) -> None:
    won_deal(desk, new_account(desk))
    desk.sync("orders")
    with desk.engine.begin() as connection:
        connection.execute(text("DELETE FROM sagezoho.links WHERE sage_entity = 'orders'"))
        connection.execute(text("DELETE FROM sagezoho.intents WHERE target_entity = 'orders'"))
        connection.execute(text("DELETE FROM sagezoho.records"))
    desk.sync("orders")
    assert len(orders(desk)) == 1
    assert len(desk.query("SELECT 1 FROM sagezoho.links WHERE sage_entity = 'orders'")) == 1


def _order_posted_unheard(desk: Bench) -> str:
    """A deal told by a notification; its order is posted, and neither the answer nor the look afterwards comes back."""
    deal = won_deal(desk, new_account(desk))
    desk.sync("customers")
    desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, Cause.NOTIFICATION, "told")], at=desk.now())
    desk.sandbox.sage300.world.faults.add("reset_after", method="POST", path="OEOrders", times=1)
    for call in (2, 3, 4):
        desk.sandbox.sage300.world.faults.add("status", method="GET", path="OEOrders", status=503, nth=call)
    handler = FLOWS["orders"].handlers["orders"]
    assert deliver(desk.context(), handler).count(Outcome.RETRYING) == 1
    assert [str(order["OrderReference"]).strip() for order in orders(desk)] == [deal]
    desk.later(minutes=10)
    return deal


def test_an_order_posted_unheard_is_found_though_its_deal_was_reopened_since(desk: Bench) -> None:
    deal = _order_posted_unheard(desk)
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Qualification")
    assert deliver(desk.context(), FLOWS["orders"].handlers["orders"]).count(Outcome.CREATED) == 1
    assert desk.query("SELECT zoho_id FROM sagezoho.links WHERE sage_entity = 'orders'") == [{"zoho_id": deal}]
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []
    assert len(orders(desk)) == 1
    [entry] = inbox(desk)
    assert entry["error"]["code"] == "ORDER_UNWANTED"
    assert "moved back to Qualification" in entry["error"]["text"]


def test_an_order_posted_unheard_of_a_deal_deleted_since_is_for_a_person(desk: Bench) -> None:
    deal = _order_posted_unheard(desk)
    desk.act("zoho_crm", "delete_record", module="Deals", id=deal)
    assert deliver(desk.context(), FLOWS["orders"].handlers["orders"]).count(Outcome.CONFLICTED) == 1
    [entry] = inbox(desk)
    assert (entry["key"], entry["error"]["code"]) == (deal, "ORDER_EXISTS")
    assert "deleted" in entry["error"]["text"]
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []


def test_a_deal_reopened_before_its_order_reached_sage_has_none_and_waits_for_nothing(desk: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    desk.sync("customers")
    desk.ledger.enqueue([Look(desk.context().zoho_entity("deals"), deal, Cause.NOTIFICATION, "told")], at=desk.now())
    desk.sandbox.sage300.world.faults.add("reset_before", method="POST", path="OEOrders", times=1)
    handler = FLOWS["orders"].handlers["orders"]
    assert deliver(desk.context(), handler).count(Outcome.RETRYING) == 1
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Qualification")
    desk.later(minutes=10)
    assert deliver(desk.context(), handler).count(Outcome.SKIPPED) == 1
    assert orders(desk) == []
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []
