"""Invoices: what Sage bills for our orders is in Zoho once, line by line, with what is still open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.records import Outcome
from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines.sandbox.faults import FaultRule
from sagezoho_pipelines.sandbox.sage300.posting import post_batches
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, invoices, new_account, ordered, orders, won_deal


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=5, deals=0) as made:
        yield made


def _sage_invoice(desk: Bench, order: str) -> dict[str, Any]:
    rows = [row for row in desk.state("sage300", "OEInvoices") if str(row["OrderNumber"]).strip() == order]
    assert len(rows) == 1
    return rows[0]


def test_an_invoiced_order_is_one_zoho_invoice_with_its_lines_and_totals(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    assert desk.sync("invoices").left_over == 0
    sage = _sage_invoice(desk, order)
    [invoice] = invoices(desk)
    number = str(sage["InvoiceNumber"]).strip()
    assert invoice["Sage_Invoice_Number"] == number
    assert invoice["Sage_Invoice_Key"] == f"SAMINC/{number}"
    assert invoice["Sage_Order_Number"] == order
    assert invoice["Sage_Total"] == sage["InvoiceTotalWithTax"]
    assert invoice["Sage_Open_Amount"] == sage["InvoiceTotalWithTax"]
    assert invoice["Sage_Payment_Status"] == "Open"
    rows = [(row["Quantity"], row["List_Price"]) for row in invoice["Invoiced_Items"]]
    assert rows == [(4, 25), (2, 10)]
    [deal] = desk.query("SELECT zoho_id FROM sagezoho.links WHERE sage_entity = 'orders'")
    assert invoice["Deal_Name__s"]["id"] == deal["zoho_id"]


def test_where_zoho_keeps_several_currencies_an_invoice_is_in_its_customers(desk: Bench) -> None:
    desk.act("zoho_crm", "use_currencies")
    account = new_account(desk, Sage_Customer_Currency="CAD", Sage_Customer_Tax_Group="BCTAX")
    won_deal(desk, account, values={"Currency": "CAD"})
    assert desk.sync("customers", "orders").left_over == 0, inbox(desk)
    [order] = orders(desk)
    desk.act("sage300", "ship_and_invoice_order", order=str(order["OrderNumber"]).strip())
    assert desk.sync("invoices").left_over == 0, inbox(desk)
    [invoice] = invoices(desk)
    assert (invoice["Currency"], invoice["Sage_Currency"]) == ("CAD", "CAD")


def test_where_zoho_keeps_one_currency_nothing_is_said_of_it(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    desk.sync("invoices")
    [line] = desk.query("SELECT fields FROM sagezoho.audit WHERE operation = 'create' AND target_entity = 'Invoices'")
    rules = {str(row["id"]): row["target"] for row in desk.query("SELECT id, target FROM sagezoho.transformations")}
    written = {rules[str(field[0])] for field in line["fields"]}
    assert "Sage_Currency" in written
    assert "Currency" not in written


def test_an_invoice_from_before_several_currencies_keeps_the_one_it_has(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    desk.sync("invoices")
    desk.act("zoho_crm", "use_currencies")
    [invoice] = invoices(desk)
    desk.act("zoho_crm", "edit_record", module="Invoices", id=invoice["id"], values={"Currency": "EUR"})
    desk.act("sage300", "receive_payment", document=invoice["Sage_Invoice_Number"])
    assert desk.sync("invoices").left_over == 0, inbox(desk)
    [invoice] = invoices(desk)
    assert (invoice["Sage_Payment_Status"], invoice["Currency"]) == ("Paid", "EUR")


def test_an_invoice_in_a_currency_that_zoho_does_not_keep_says_so(desk: Bench) -> None:
    desk.act("zoho_crm", "use_currencies")
    desk.act("zoho_crm", "change_field", module="Invoices", field="Currency", values=["USD", "EUR"])
    account = new_account(desk, Sage_Customer_Currency="CAD", Sage_Customer_Tax_Group="BCTAX")
    won_deal(desk, account, values={"Currency": "CAD"})
    desk.sync("customers", "orders")
    [order] = orders(desk)
    desk.act("sage300", "ship_and_invoice_order", order=str(order["OrderNumber"]).strip())
    assert desk.sync("invoices").count(Outcome.REFUSED) == 1
    [entry] = inbox(desk)
    assert (entry["error"]["code"], entry["error"]["field"]) == ("CURRENCY_UNKNOWN", "Currency")
    assert "is in CAD" in entry["error"]["text"]
    assert invoices(desk) == []
    desk.act("zoho_crm", "change_field", module="Invoices", field="Currency", values=["USD", "EUR", "CAD"])
    desk.edit_inbox(str(entry["key"]))
    assert desk.sync("invoices").left_over == 0, inbox(desk)
    assert [row["Currency"] for row in invoices(desk)] == ["CAD"]


def test_invoices_that_are_not_ours_stay_in_sage(desk: Bench) -> None:
    assert desk.state("sage300", "OEInvoices")
    desk.sync("invoices")
    assert invoices(desk) == []


def test_an_invoice_of_more_lines_than_zoho_takes_says_so(desk: Bench) -> None:
    order = ordered(desk)
    [customer] = {row["CustomerNumber"] for row in desk.state("sage300", "OEOrders") if row["OrderNumber"] == order}
    line = {"LineType": "Item", "Item": "A1-105/0", "Location": "1", "QuantityOrdered": 1}
    typed = desk.sage().create("OE/OEOrders", {"CustomerNumber": customer, "OrderDetails": [line] * 101})
    with desk.engine.begin() as connection:
        connection.execute(
            text("UPDATE sagezoho.links SET sage_id = :typed WHERE sage_id = :order"),
            {"typed": typed["OrderNumber"], "order": order},
        )
    desk.act("sage300", "ship_and_invoice_order", order=typed["OrderNumber"])
    assert desk.sync("invoices").count(Outcome.REFUSED) == 1
    [entry] = desk.open_inbox()
    assert entry["error"]["code"] == "TOO_MANY_LINES"
    assert "has 101 lines, and Zoho takes 100 in one invoice" in entry["error"]["text"]
    assert desk.query("SELECT 1 FROM sagezoho.intents WHERE state = 'open'") == []


def test_goods_that_are_priced_by_another_unit_than_they_are_shipped_in_come_to_what_sage_bills(desk: Bench) -> None:
    order = ordered(desk)
    [customer] = {row["CustomerNumber"] for row in desk.state("sage300", "OEOrders") if row["OrderNumber"] == order}
    line = {
        "LineType": "Item", "Item": "A1-105/0", "Location": "1", "QuantityOrdered": 3, "OrderUnitOfMeasure": "Box",
        "PricingUnitOfMeasure": "Ea.", "PriceOverride": True, "PricingUnitPrice": Decimal("2.5"),
    }  # fmt: skip
    typed = desk.sage().create("OE/OEOrders", {"CustomerNumber": customer, "OrderDetails": [line]})
    assert typed["OrderDetails"][0]["ExtendedAmount"] == 75
    with desk.engine.begin() as connection:
        connection.execute(
            text("UPDATE sagezoho.links SET sage_id = :typed WHERE sage_id = :order"),
            {"typed": typed["OrderNumber"], "order": order},
        )
    desk.act("sage300", "ship_and_invoice_order", order=typed["OrderNumber"])
    assert desk.sync("invoices").left_over == 0
    [invoice] = invoices(desk)
    [row] = invoice["Invoiced_Items"]
    assert (row["Quantity"], row["List_Price"], row["Net_Total"]) == (3, 25, 75)


def test_an_existing_product_is_used_by_its_code(desk: Bench) -> None:
    before = {str(row["id"]) for row in desk.state("zoho_crm", "Products")}
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    desk.sync("invoices")
    [invoice] = invoices(desk)
    assert {str(row["Product_Name"]["id"]) for row in invoice["Invoiced_Items"]} <= before
    assert {str(row["id"]) for row in desk.state("zoho_crm", "Products")} == before


def test_a_payment_brings_the_open_amount_down(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    desk.sync("invoices")
    number = str(_sage_invoice(desk, order)["InvoiceNumber"]).strip()
    desk.act("sage300", "receive_payment", document=number, amount="50")
    assert desk.sync("invoices").count(Outcome.UPDATED) == 1
    [invoice] = invoices(desk)
    assert invoice["Sage_Open_Amount"] == invoice["Sage_Total"] - Decimal("50")
    desk.act("sage300", "receive_payment", document=number)
    desk.sync("invoices")
    [invoice] = invoices(desk)
    assert invoice["Sage_Open_Amount"] == 0
    assert invoice["Sage_Payment_Status"] == "Paid"
    assert len(invoice["Invoiced_Items"]) == 2
    desk.reset_counters()
    assert desk.sync("invoices").left_over == 0
    assert desk.writes()["zoho_crm"] == 0


def test_a_lost_answer_does_not_double_the_invoice_or_its_lines(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    desk.sandbox.zoho_crm.world.faults.add("reset_after", method="POST", path="/Invoices", times=1)
    tally = desk.sync("invoices")
    desk.later(minutes=10)
    tally = desk.sync("invoices") if tally.left_over else tally
    assert tally.left_over == 0
    [invoice] = invoices(desk)
    assert len(invoice["Invoiced_Items"]) == 2
    assert len(desk.query("SELECT 1 FROM sagezoho.links WHERE sage_entity = 'invoices'")) == 1


def test_a_kill_after_the_insert_is_settled_by_reading_back(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    desk.sync("invoices")
    with desk.engine.begin() as connection:
        connection.execute(text("DELETE FROM sagezoho.links WHERE sage_entity = 'invoices'"))
        connection.execute(text("DELETE FROM sagezoho.records WHERE entity = 'invoices'"))
    assert desk.sync("invoices").left_over == 0
    [invoice] = invoices(desk)
    assert len(invoice["Invoiced_Items"]) == 2
    told = desk.query("SELECT operation, outcome, answer ->> 'read_back' AS found FROM sagezoho.audit ORDER BY seq")
    assert told[-1] == {"operation": "create", "outcome": "created", "found": "true"}


def test_a_changed_invoice_rewrites_its_lines_by_row_id(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    desk.sync("invoices")
    [before] = invoices(desk)
    document = _sage_invoice(desk, order)
    table = desk.sandbox.sage300.world.table("OEInvoices")
    kept, *_dropped = document["InvoiceDetails"]
    table.put(
        {**document, "InvoiceDetails": [{**kept, "Description": "Corrected"}], "InvoiceTotalWithTax": Decimal("111")}
    )
    assert desk.sync("invoices").count(Outcome.UPDATED) == 1
    [after] = invoices(desk)
    assert [row["Description"] for row in after["Invoiced_Items"]] == ["Corrected"]
    assert after["Invoiced_Items"][0]["id"] == before["Invoiced_Items"][0]["id"]
    assert after["Sage_Total"] == Decimal("111")


def test_lines_that_zoho_does_not_show_are_not_rewritten(desk: Bench) -> None:
    order = ordered(desk)
    desk.act("sage300", "ship_and_invoice_order", order=order)
    desk.sync("invoices")
    [before] = invoices(desk)
    document = _sage_invoice(desk, order)
    lines = [{**line, "Description": "Corrected"} for line in document["InvoiceDetails"]]
    desk.sandbox.sage300.world.table("OEInvoices").put(
        {**document, "InvoiceDetails": lines, "InvoiceTotalWithTax": Decimal("111")}
    )
    shown = {"id": before["id"], "Invoiced_Items": [{"id": before["Invoiced_Items"][0]["id"]}]}
    desk.sandbox.zoho_crm.world.faults.add_rule(
        FaultRule(
            action="status", method="GET", path=f"/Invoices/{before['id']}", status=200,
            headers={"Content-Type": "application/json"},
            body=json.dumps({"data": [{**shown, "$has_more": {"Invoiced_Items": True}}]}),
        )
    )  # fmt: skip
    assert desk.sync("invoices").count(Outcome.REFUSED) == 1
    assert invoices(desk) == [before]
    [entry] = desk.open_inbox()
    assert entry["error"]["code"] == "LINES_CUT"
    assert "by hand" in entry["error"]["advice"]


def test_a_service_invoice_of_a_posted_receivables_batch_arrives_once(desk: Bench) -> None:
    order = ordered(desk)
    [link] = desk.query("SELECT details FROM sagezoho.links WHERE sage_entity = 'orders'")
    batch = desk.act(
        "sage300",
        "add_ar_batch",
        customer=link["details"]["customer"],
        amount="300",
        order=order,
        description="Install",
    )
    desk.sync("invoices")
    assert invoices(desk) == []
    desk.act("sage300", "post_ar_batch", batch=batch["BatchNumber"])
    tally = desk.sync("invoices")
    assert tally.left_over == 0, desk.query("SELECT error FROM sagezoho.changes WHERE state='refused'")
    desk.sync("invoices")
    [invoice] = invoices(desk)
    assert invoice["Sage_Order_Number"] == order
    assert len(invoice["Invoiced_Items"]) == 1
    number = str(invoice["Sage_Invoice_Number"])
    desk.act("sage300", "receive_payment", document=number)
    desk.sync("invoices")
    [invoice] = invoices(desk)
    assert invoice["Sage_Payment_Status"] == "Paid"


def test_a_batch_posted_long_after_its_last_edit_is_found_by_the_sweep(desk: Bench) -> None:
    order = ordered(desk)
    [link] = desk.query("SELECT details FROM sagezoho.links WHERE sage_entity = 'orders'")
    service = {"customer": link["details"]["customer"], "amount": "300", "description": "Install"}
    world = desk.sandbox.sage300.world
    today = world.session_date
    desk.act("sage300", "set_session_date", date=(today - timedelta(days=20)).isoformat())
    batch = desk.act("sage300", "add_ar_batch", order=order, **service)["BatchNumber"]
    desk.sage().patch("AR/ARInvoiceBatches", batch, {"BatchStatus": "ReadyToPost"})
    desk.act("sage300", "set_session_date", date=today.isoformat())
    other = desk.act("sage300", "add_ar_batch", **service)["BatchNumber"]
    desk.act("sage300", "post_ar_batch", batch=other)
    desk.sync("invoices")  # the watermark has passed the first batch's last edit now
    post_batches(world, "ARInvoiceBatches", {"PostBatchFrom": Decimal(batch), "PostBatchTo": Decimal(batch)})
    desk.sync("invoices")
    assert invoices(desk) == []
    desk.sync("invoices", window=Window.sweep())
    [invoice] = invoices(desk)
    assert invoice["Sage_Order_Number"] == order


def test_below_professional_the_flow_rests_and_says_so(engine: Engine) -> None:
    with bench(engine, vendors=3, deals=0, edition="standard") as desk:
        tally = desk.sync("vendors", "invoices")
        assert tally.count(Outcome.CREATED) == 3
        assert [note for note in tally.notes if "Professional or higher" in note] == tally.notes[-1:]
        assert len(tally.notes) == 1
