"""Two companies of one firm, each a connection of its own, may read one Zoho organisation: a deal is ordered once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.tally import Tally
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.ledger import inbox
from sagezoho_pipelines.sandbox.faults import FaultRule
from sagezoho_pipelines.sandbox.server import Sandbox
from sagezoho_pipelines_tests.bench import Bench, bench, settings_for
from sagezoho_pipelines_tests.integration.selling import new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


@pytest.fixture
def branch(engine: Engine) -> Iterator[Bench]:
    """The other company; of its sandbox only Sage is used."""
    with Sandbox.running(seed=2, vendors=2, deals=0) as sandbox:
        yield Bench(sandbox, engine, settings_for(sandbox))


def _sync(desk: Bench, branch: Bench) -> Tally:
    ctx = replace(desk.context(), connection="branch", sage=branch.sage())
    return run_flow(ctx, "orders", Window.incremental())


def test_a_deal_that_one_connection_has_ordered_is_refused_by_the_other(desk: Bench, branch: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    assert desk.sync("orders").left_over == 0
    [order] = orders(desk)
    assert _sync(desk, branch).count(Outcome.REFUSED) == 1
    [entry] = inbox.entries(desk.engine, connection="branch")
    assert (entry.key, (entry.error or {})["code"]) == (deal, "ORDERED_ELSEWHERE")
    assert f"order {order['OrderNumber']} of saminc" in (entry.error or {})["text"]
    assert orders(branch) == []
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []


def test_of_two_that_are_about_to_order_a_deal_the_first_does(desk: Bench, branch: Bench) -> None:
    deal = won_deal(desk, new_account(desk))
    desk.sandbox.sage300.world.faults.add_rule(FaultRule(action="day_end", method="POST", path="OEOrders"))
    assert desk.sync("orders").count(Outcome.RETRYING) == 1
    assert _sync(desk, branch).count(Outcome.REFUSED) == 1
    [entry] = inbox.entries(desk.engine, connection="branch")
    assert (entry.key, (entry.error or {})["text"].split(":")[0]) == (
        deal,
        "the deal is about to be an order of saminc",
    )
    assert orders(branch) == []
    desk.sandbox.sage300.world.faults.clear()
    desk.later(hours=2)
    assert desk.sync("orders").left_over == 0
    assert len(orders(desk)) == 1
