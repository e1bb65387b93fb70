"""Lines of documents in the simulated CRM, and the totals that it computes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .zoho_service import Service, row_of, serving


@pytest.fixture
def zoho() -> Iterator[Service]:
    with serving(deals=0, accounts=0, frozen=True) as service:
        yield service


@pytest.fixture
def invoice(zoho: Service) -> dict[str, Any]:
    account = zoho.insert_id("Accounts", Account_Name="Buyer")
    product = zoho.insert_id("Products", Product_Name="Lamp", Product_Code="L-1", Unit_Price=20)
    lines = [
        {"Product_Name": {"id": product}, "Quantity": 2, "List_Price": 10.5, "Discount": 1},
        {"Product_Name": {"id": product}, "Quantity": 1, "Line_Tax": [{"name": "VAT", "percentage": 10}]},
    ]
    invoice_id = zoho.insert_id("Invoices", Subject="I", Account_Name={"id": account}, Invoiced_Items=lines)
    return {"id": invoice_id, "product": product, **zoho.record("Invoices", invoice_id)}


def test_totals_and_the_number_are_the_vendors_own(zoho: Service, invoice: dict[str, Any]) -> None:
    first, second = invoice["Invoiced_Items"]
    assert (first["Total"], first["Total_After_Discount"], first["Net_Total"]) == (21, 20, 20)
    assert (second["List_Price"], second["Tax"], second["Net_Total"]) == (20, 2, 22)
    assert (invoice["Sub_Total"], invoice["Tax"], invoice["Grand_Total"]) == (40, 2, 42)
    assert first["Product_Name"] == {"name": "Lamp", "id": invoice["product"], "Product_Code": "L-1"}
    assert invoice["$has_more"] == {"Invoiced_Items": False}
    assert invoice["Invoice_Number"]
    refused = row_of(zoho.update("Invoices", {"id": invoice["id"], "Grand_Total": 1}))
    assert (refused["code"], refused["details"]["api_name"]) == ("INVALID_DATA", "Grand_Total")
    zoho.world.switches.computed_fields = "ignored"
    zoho.update("Invoices", {"id": invoice["id"], "Grand_Total": 1, "Adjustment": -2})
    assert zoho.record("Invoices", invoice["id"])["Grand_Total"] == 40


def test_rows_without_an_id_are_added_to_those_there(zoho: Service, invoice: dict[str, Any]) -> None:
    first, second = (line["id"] for line in invoice["Invoiced_Items"])
    added = {"Product_Name": {"id": invoice["product"]}, "Quantity": 5, "List_Price": 1}
    zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": [{"id": first, "Quantity": 3}, added]})
    lines = zoho.record("Invoices", invoice["id"])["Invoiced_Items"]
    assert [line["Quantity"] for line in lines] == [3, 1, 5]
    zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": [{"id": second, "_delete": None}]})
    lines = zoho.record("Invoices", invoice["id"])["Invoiced_Items"]
    assert [line["Sequence_Number"] for line in lines] == [1, 2]
    assert second not in [line["id"] for line in lines]
    bad = row_of(zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": [{"id": "5", "Quantity": 1}]}))
    assert bad["details"]["json_path"] == "$.data[0].Invoiced_Items[0].id"
    missing = row_of(zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": [{"Quantity": 1}]}))
    assert missing["details"]["json_path"] == "$.data[0].Invoiced_Items[0].Product_Name"
    zoho.update("Invoices", {"id": invoice["id"], "Invoiced_Items": []})
    assert zoho.record("Invoices", invoice["id"])["Invoiced_Items"] == []


def test_lists_leave_subforms_out(zoho: Service, invoice: dict[str, Any]) -> None:
    row = row_of(zoho.get("Invoices", fields="Subject,Invoiced_Items,Grand_Total"))
    assert row == {"Subject": "I", "Grand_Total": 42, "id": invoice["id"]}
