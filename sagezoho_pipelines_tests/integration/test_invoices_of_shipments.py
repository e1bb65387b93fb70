"""An invoice that bills several shipments: whose orders these are, its lines say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from sagezoho_pipelines.engine.windows import Window
from sagezoho_pipelines_tests.bench import Bench, bench
from sagezoho_pipelines_tests.integration.selling import inbox, invoices, ordered


@pytest.fixture
def desk(engine: Engine) -> Iterator[Bench]:
    with bench(engine, vendors=2, deals=0) as made:
        yield made


def _of_several_shipments(desk: Bench, order: str, *, header: str, first_line: str | None = None) -> dict[str, Any]:
    """The order's invoice, as if it billed another shipment too. What its header names then is not documented."""
    desk.act("sage300", "ship_and_invoice_order", order=order)
    table = desk.sandbox.sage300.world.table("OEInvoices")
    [row] = table.where(OrderNumber=order)
    first, *others = row["InvoiceDetails"]
    lines = [first | {"OrderNumber": first_line or order}, *others]
    table.change(row, OrderNumber=header, GenerateFromMultipleShipments=True, InvoiceDetails=lines)
    return dict(row)


@pytest.mark.parametrize(("header", "first_line"), [("", None), ("ORD-ANOTHER", "ORD-ANOTHER"), ("MULTIPLE", None)])
def test_an_invoice_of_several_shipments_belongs_to_the_order_that_its_lines_name(
    desk: Bench, header: str, first_line: str | None
) -> None:
    order = ordered(desk)
    billed = _of_several_shipments(desk, order, header=header, first_line=first_line)
    assert desk.sync("invoices").left_over == 0, inbox(desk)
    [invoice] = invoices(desk)
    [deal] = desk.query("SELECT zoho_id FROM sagezoho.links WHERE sage_entity = 'orders'")
    assert (invoice["Sage_Invoice_Number"], invoice["Sage_Order_Number"]) == (billed["InvoiceNumber"].strip(), order)
    assert str(invoice["Deal_Name__s"]["id"]) == deal["zoho_id"]
    assert invoice["Grand_Total"] == invoice["Sage_Total"]
    desk.act("sage300", "receive_payment", document=billed["InvoiceNumber"])
    assert desk.sync("invoices").left_over == 0, inbox(desk)
    [paid] = invoices(desk)
    assert paid["Sage_Payment_Status"] == "Paid"
    desk.reset_counters()
    assert desk.sync("invoices", window=Window.sweep()).left_over == 0
    assert desk.writes()["zoho_crm"] == 0


def test_an_invoice_of_several_shipments_of_others_stays_in_sage(desk: Bench) -> None:
    order = ordered(desk)
    _of_several_shipments(desk, order, header="")
    with desk.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE sagezoho.links SET sage_id = 'ORD-OTHER' WHERE sage_entity = 'orders'")
    assert desk.sync("invoices").left_over == 0
    assert invoices(desk) == []
