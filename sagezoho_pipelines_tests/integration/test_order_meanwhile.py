"""What becomes of a deal between its capture and its order counts: a queue may be hours long, while Sage is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Cause, Look, Outcome
from sagezoho_pipelines.engine.capture import capture
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.run import FLOWS
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import customers, inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def _captured(desk: Bench, account: str) -> str:
    """A won deal that a poll has seen, and nothing more."""
    deal = won_deal(desk, account)
    capture(desk.context(), FLOWS["orders"].feeds["deals"], Window.incremental())
    return deal


def _deliver(desk: Bench) -> Tally:
    return deliver(desk.context(), FLOWS["orders"].handlers["orders"])


def test_a_deal_that_is_deleted_before_its_order_is_posted_has_none(desk: Bench) -> None:
    deal = _captured(desk, new_account(desk))
    desk.act("zoho_crm", "delete_record", module="Deals", id=deal)
    assert _deliver(desk).count(Outcome.SKIPPED) == 1
    assert orders(desk) == []


def test_a_deal_that_is_reopened_while_sage_is_away_has_no_order(desk: Bench) -> None:
    deal = _captured(desk, new_account(desk))
    rule = desk.sandbox.sage300.world.faults.add("day_end")
    assert _deliver(desk).count(Outcome.RETRYING) == 1
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Negotiation/Review")
    desk.sandbox.sage300.world.faults.remove(rule.id)
    desk.later(hours=3)
    assert _deliver(desk).count(Outcome.SKIPPED) == 1
    assert orders(desk) == []
    desk.act("zoho_crm", "move_deal", deal_id=deal, stage="Closed Won")
    desk.later(hours=1)
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    assert len(orders(desk)) == 1


@pytest.mark.parametrize("window", [Window.incremental(), Window.sweep()])
def test_a_deal_heard_of_while_it_was_open_is_ordered_though_nobody_heard_of_its_winning(
    desk: Bench, window: Window
) -> None:
    made = desk.act("zoho_crm", "add_deal", name="Refit", account_id=new_account(desk), amount="5")
    look = Look(desk.context().zoho_entity("deals"), str(made["id"]), Cause.NOTIFICATION, "Zoho told of create")
    desk.ledger.enqueue([look], at=desk.now())
    assert desk.sync("orders").count(Outcome.SKIPPED) == 1
    desk.act("zoho_crm", "move_deal", deal_id=made["id"], stage="Closed Won")
    assert desk.sync("orders", window=window).left_over == 0, inbox(desk)
    assert len(orders(desk)) == 1


def test_an_account_that_is_merged_before_the_order_is_posted_leaves_its_deal_with_the_other_account(
    desk: Bench,
) -> None:
    account, other = new_account(desk), new_account(desk, "Other Ltd")
    _captured(desk, account)
    desk.act("zoho_crm", "merge_accounts", master_id=other, duplicate_ids=[account])
    assert _deliver(desk).count(Outcome.CREATED) == 1
    assert [str(row["CustomerName"]).strip() for row in customers(desk)] == ["Other Ltd"]
    assert len(orders(desk)) == 1
    assert desk.sync("customers", "orders").left_over == 0
    assert inbox(desk) == []


def test_an_amount_that_is_corrected_before_the_order_is_posted_is_ordered(desk: Bench) -> None:
    deal = _captured(desk, new_account(desk))
    desk.act("zoho_crm", "edit_deal", deal_id=deal, values={"Amount": 5})
    assert _deliver(desk).count(Outcome.CREATED) == 1
    [order] = orders(desk)
    assert [line["ExtendedAmount"] for line in order["OrderDetails"]] == [5]
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    assert inbox(desk) == []
