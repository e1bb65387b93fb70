"""Products that invoices name: people tidy them up in Zoho, and Sage goes on billing them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, invoices, ordered

SOLD = "A1-105/0"


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def _products(desk: Bench) -> dict[str, str]:
    """Id and name of the products that are sold under the code."""
    rows = desk.state("zoho_crm", "Products")
    return {str(row["id"]): row["Product_Name"] for row in rows if row["Product_Code"] == SOLD}


def _billed_before_it_was_deleted(desk: Bench) -> tuple[str, str]:
    """An order of which a part was invoiced, and the product of that invoice, which a person has deleted since."""
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order, lines={"1": "1"})
    assert desk.sync("invoices").left_over == 0
    [product] = _products(desk)
    desk.act("zoho_crm", "delete_record", module="Products", id=product)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    return order, product


def _named(invoice: dict[str, Any]) -> set[str]:
    return {str(line["Product_Name"]["id"]) for line in invoice["Invoiced_Items"]}


def test_a_product_that_was_deleted_in_zoho_is_made_anew_for_the_next_invoice(desk: Bench) -> None:
    _, deleted = _billed_before_it_was_deleted(desk)
    assert desk.sync("invoices").count(Outcome.RETRYING) == 1
    assert inbox(desk) == []
    desk.later(hours=1)
    assert desk.sync("invoices").left_over == 0
    [product] = _products(desk)
    assert product != deleted
    first, second = invoices(desk)
    assert (_named(first), _named(second)) == ({deleted}, {product})
    [entry] = desk.query("SELECT answer FROM sagezoho.audit WHERE outcome = 'retrying'")
    assert entry["answer"]["text"] == f"product {SOLD} ({deleted}) is no longer in Zoho"


def test_another_product_of_the_code_takes_the_place_of_one_that_was_deleted(desk: Bench) -> None:
    _billed_before_it_was_deleted(desk)
    kept = desk.act("zoho_crm", "add_record", module="Products", values={"Product_Name": "Lamp", "Product_Code": SOLD})
    desk.sync("invoices")
    desk.later(hours=1)
    assert desk.sync("invoices").left_over == 0
    assert _named(invoices(desk)[1]) == {str(kept["id"])} == set(_products(desk))
