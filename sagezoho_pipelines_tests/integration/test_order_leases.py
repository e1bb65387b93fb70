"""An order or a customer whose worker was slow: by the time it would post, another one may have done so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.run import run_flow
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import customers, inbox, new_account, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


class Slow:
    """A Sage client whose first answer about this set takes so long that `meanwhile` happens."""

    def __init__(self, sage: Any, entity_set: str, meanwhile: Callable[[], None]) -> None:
        self._sage, self._entity_set, self._meanwhile = sage, entity_set, [meanwhile]

    def find(self, entity_set: str, **asked: Any) -> Any:
        return self._held_up(entity_set, self._sage.find(entity_set, **asked))

    def get(self, entity_set: str, key: str, **asked: Any) -> Any:
        return self._held_up(entity_set, self._sage.get(entity_set, key, **asked))

    def _held_up(self, entity_set: str, found: Any) -> Any:
        if entity_set == self._entity_set and self._meanwhile:
            self._meanwhile.pop()()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sage, name)


@pytest.mark.parametrize("slow", ["OE/OEOrders", "CS/CSFiscalCalendars"], ids=["the look for it", "the preflight"])
def test_an_order_that_another_worker_has_taken_over_is_not_posted_again(desk: Bench, slow: str) -> None:
    deal = won_deal(desk, new_account(desk))
    assert desk.sync("customers").left_over == 0
    others = []

    def taken_over() -> None:
        desk.later(seconds=desk.settings.lease_seconds + 1)
        others.append(desk.sync("orders"))

    ctx = desk.context()
    run_flow(replace(ctx, sage=Slow(ctx.sage, slow, taken_over)), "orders", Window.incremental())  # type: ignore[arg-type]
    assert [other.count(Outcome.CREATED) for other in others] == [1]
    assert [row["OrderReference"].strip() for row in orders(desk)] == [deal]
    desk.later(hours=1)
    assert desk.sync("orders").left_over == 0, inbox(desk)
    assert len(orders(desk)) == 1


def test_a_customer_that_another_worker_has_taken_over_is_not_made_twice(desk: Bench) -> None:
    """The number that is looked for in Sage is reserved only once it is found free."""
    account = new_account(desk)
    won_deal(desk, account)
    others = []

    def taken_over() -> None:
        desk.later(seconds=desk.settings.lease_seconds + 1)
        others.append(desk.sync("customers"))

    ctx = desk.context()
    slow = Slow(ctx.sage, "AR/ARCustomers", taken_over)
    run_flow(replace(ctx, sage=slow), "customers", Window.incremental())  # type: ignore[arg-type]
    assert [other.count(Outcome.CREATED) for other in others] == [1]
    desk.later(hours=1)
    assert desk.sync().left_over == 0, inbox(desk)
    [customer] = customers(desk)
    links = desk.ledger.links_by_zoho("saminc", "Accounts", "customers", [account])
    assert links[account].sage_id == customer["CustomerNumber"].strip()
