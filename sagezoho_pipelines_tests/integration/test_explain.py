"""What is known of one record: the same story, whichever of the records that belong together it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.ledger import history
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import invoices, ordered


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


def test_deal_order_and_invoice_tell_the_same_story(desk: Bench) -> None:
    order = ordered(desk)
    [deal] = desk.query("SELECT zoho_id FROM sagezoho.links WHERE sage_entity = 'orders'")
    number = str(desk.act("sage300", "ship_and_invoice_order", order=order)["InvoiceNumber"]).strip()
    assert desk.sync("invoices").left_over == 0
    [invoice] = invoices(desk)

    ids = (str(deal["zoho_id"]), order, number, str(invoice["id"]))
    told = [[event for event in history.explain(desk.engine, one) if event.record.key in ids] for one in ids]
    stories = [{(event.at, event.kind, str(event.record), event.summary) for event in events} for events in told]

    assert all(story == stories[0] for story in stories)
    assert {(kind, record.split()[1]) for _, kind, record, _ in stories[0]} >= {
        ("captured", "deals"), ("settled", "deals"), ("intent", "deals"), ("linked", "orders"),
        ("captured", "invoices"), ("settled", "invoices"), ("linked", "invoices"), ("audit", "invoices"),
    }  # fmt: skip
