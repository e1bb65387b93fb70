"""Services billed straight in Accounts Receivable: each entry of one of our orders is one Zoho invoice, to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.capture import capture
from sagezoho_pipelines.engine.deliver import deliver
from sagezoho_pipelines.engine.flows.batches import ArBatchesHandler, ar_feed
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.sandbox.faults import FaultRule
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import invoices, ordered


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


def _customer(desk: Bench) -> str:
    [link] = desk.query("SELECT details FROM sagezoho.links WHERE sage_entity = 'orders'")
    return str(link["details"]["customer"])


def _post(desk: Bench, *entries: dict[str, Any]) -> str:
    """A posted batch of these entries for our customer; its number."""
    customer = _customer(desk)
    batch = desk.act("sage300", "add_ar_batch", entries=[{"customer": customer, **entry} for entry in entries])
    desk.act("sage300", "post_ar_batch", batch=batch["BatchNumber"])
    return str(batch["BatchNumber"])


def _link(desk: Bench, order: str, *, as_if: str) -> None:
    """The deal's link names another order from now on, as after an edit of the mapping table."""
    with desk.engine.begin() as connection:
        connection.execute(
            text("UPDATE sagezoho.links SET sage_id = :other WHERE sage_entity = 'orders' AND sage_id = :order"),
            {"order": order, "other": as_if},
        )


def _lines(invoice: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(row["Quantity"], row["List_Price"], row["Description"]) for row in invoice["Invoiced_Items"]]


def test_a_line_that_has_an_amount_only_is_one_unit_at_that_amount(desk: Bench) -> None:
    _post(desk, {"order": ordered(desk), "amount": "300.10", "description": "Install"})
    assert desk.sync("invoices").left_over == 0
    [invoice] = invoices(desk)
    assert _lines(invoice) == [(1, Decimal("300.1"), "Install")]
    assert (invoice["Sub_Total"], invoice["Adjustment"]) == (Decimal("300.1"), Decimal("24.76"))
    assert invoice["Grand_Total"] == invoice["Sage_Total"] == Decimal("324.86")
    assert invoice["Sage_Total_Note"] == "Adjustment: tax 24.76"


def test_a_line_with_quantity_and_price_keeps_them(desk: Bench) -> None:
    order = ordered(desk)
    lines = [
        {"ItemNumber": "A1-105/0", "DistributionCode": "SERVIC", "Quantity": 3, "Price": 20,
         "ExtendedAmountWithTIP": 60, "Description": "Hours"},
        {"DistributionCode": "SERVIC", "ExtendedAmountWithTIP": Decimal("7.25"), "Description": "Travel"},
    ]  # fmt: skip
    entry = {
        "CustomerNumber": _customer(desk), "OrderNumber": order, "InvoiceType": "Item", "InvoiceDetails": lines,
    }  # fmt: skip
    batch = desk.sage().create("AR/ARInvoiceBatches", {"Description": "Services", "Invoices": [entry]})
    desk.act("sage300", "post_ar_batch", batch=batch["BatchNumber"])
    assert desk.sync("invoices").left_over == 0
    [invoice] = invoices(desk)
    assert _lines(invoice) == [(3, 20, "Hours"), (1, Decimal("7.25"), "Travel")]
    assert [row["Product_Name"]["Product_Code"] for row in invoice["Invoiced_Items"]] == ["A1-105/0", "SERVIC"]


def test_one_order_may_be_billed_in_several_entries_and_from_order_entry_too(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    _post(
        desk,
        {"order": order, "amount": "300"},
        {"order": order, "amount": "40"},
        {"order": "", "amount": "7"},
        {"order": order, "amount": "9", "type": "CreditNote"},
    )
    assert desk.sync("invoices").left_over == 0
    before = invoices(desk)
    assert len(before) == 3
    assert len({invoice["Sage_Invoice_Number"] for invoice in before}) == 3
    desk.reset_counters()
    assert desk.sync("invoices").left_over == 0
    assert desk.writes()["zoho_crm"] == 0


def test_a_sweep_leaves_a_service_invoice_that_waits_for_its_next_attempt(desk: Bench) -> None:
    _post(desk, {"order": ordered(desk), "amount": "300", "description": "Install"})
    down = desk.sandbox.zoho_crm.world.faults.add_rule(
        FaultRule(action="status", method="POST", path="/Invoices$", status=500)
    )
    assert desk.sync("invoices").count(Outcome.RETRYING) == 1
    desk.sandbox.zoho_crm.world.faults.remove(down.id)
    desk.later(hours=2)
    swept = desk.sync("invoices", window=Window.sweep())
    assert swept.notes == []
    assert [_lines(invoice) for invoice in invoices(desk)] == [[(1, 300, "Install")]]


def test_a_service_invoice_of_an_order_that_is_linked_later_comes_with_the_next_sweep(desk: Bench) -> None:
    order = ordered(desk)
    customer = _customer(desk)
    _link(desk, order, as_if="ORD-TYPED")
    batch = desk.act("sage300", "add_ar_batch", customer=customer, order=order, amount="300", description="Install")
    desk.act("sage300", "post_ar_batch", batch=batch["BatchNumber"])
    assert desk.sync("invoices").left_over == 0
    assert invoices(desk) == []
    _link(desk, "ORD-TYPED", as_if=order)
    desk.sync("invoices", window=Window.sweep())
    assert [_lines(invoice) for invoice in invoices(desk)] == [[(1, 300, "Install")]]
    desk.reset_counters()
    desk.sync("invoices", window=Window.sweep())
    assert desk.writes()["zoho_crm"] == 0
    assert len(invoices(desk)) == 1


def test_an_entry_that_could_not_be_posted_is_no_invoice_before_it_is(desk: Bench) -> None:
    order, today = ordered(desk), desk.now().date()
    entries = [{"customer": _customer(desk), "order": order, "amount": amount} for amount in ("300", "40")]
    batch = desk.act("sage300", "add_ar_batch", entries=entries)
    sent = desk.sandbox.sage300.world.table("ARInvoiceBatches").get(Decimal(batch["BatchNumber"]))
    number = sent["Invoices"][1]["DocumentNumber"]
    documents = desk.sandbox.sage300.world.table("ARPostedDocuments")
    documents.put({"CustomerNumber": _customer(desk), "DocumentNumber": number, "DocumentDate": today})
    assert desk.act("sage300", "post_ar_batch", batch=batch["BatchNumber"])["NumberOfErrors"] == 1
    documents.delete((_customer(desk), number))
    assert desk.sync("invoices").left_over == 0
    assert [invoice["Sub_Total"] for invoice in invoices(desk)] == [300]
    desk.act("sage300", "post_ar_batch", batch=desk.act("sage300", "add_ar_batch", entries=[entries[1]])["BatchNumber"])
    assert desk.sync("invoices").left_over == 0
    assert sorted(invoice["Sub_Total"] for invoice in invoices(desk)) == [40, 300]


def test_a_service_invoice_that_shares_its_number_with_another_customers_order_invoice_arrives(desk: Bench) -> None:
    order, customer = ordered(desk), _customer(desk)
    theirs = next(row for row in desk.state("sage300", "OEInvoices") if row["CustomerNumber"] != customer)
    entry = {
        "CustomerNumber": customer, "OrderNumber": order, "DocumentNumber": theirs["InvoiceNumber"],
        "InvoiceDetails": [{"DistributionCode": "SERVIC", "ExtendedAmountWithTIP": Decimal(7)}],
    }  # fmt: skip
    batch = desk.sage().create("AR/ARInvoiceBatches", {"Description": "Services", "Invoices": [entry]})
    desk.act("sage300", "post_ar_batch", batch=batch["BatchNumber"])
    assert desk.sync("invoices").left_over == 0
    [invoice] = invoices(desk)
    assert (invoice["Sage_Invoice_Number"], invoice["Sub_Total"]) == (theirs["InvoiceNumber"], 7)


def test_a_batch_of_very_many_invoices_of_ours_is_handed_on(desk: Bench) -> None:
    order = ordered(desk)
    _post(desk, *[{"order": order, "amount": 10 + number} for number in range(700)])
    ctx = desk.context()
    capture(ctx, ar_feed, Window.incremental())
    assert deliver(ctx, ArBatchesHandler()).left_over == 0
    [queued] = desk.query("SELECT count(*) FROM sagezoho.changes WHERE entity = 'invoices' AND state = 'queued'")
    [line] = desk.query("SELECT target_id, answer FROM sagezoho.audit WHERE operation = 'hand on'")
    assert queued["count"] == line["answer"]["ours"] == 700
    assert len(line["target_id"].split(", ")) == 20
