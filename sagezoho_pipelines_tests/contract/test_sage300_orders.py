"""Orders of the simulated Sage 300: numbered, priced, taxed, and refused in its own words."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from sagezoho_pipelines_tests.contract.sage_service import ORDER, SageService, order_with, refusal, sage_service


@pytest.fixture
def sage() -> Iterator[SageService]:
    with sage_service(vendors=30) as running:
        yield running


def test_the_official_order_is_numbered_priced_taxed_and_totalled(sage: SageService) -> None:
    order = sage.post("OE/OEOrders", ORDER)
    item, charge = order["OrderDetails"]
    price = sage.world.setup.prices["A1105/0"]
    assert order["OrderNumber"].startswith("ORD")
    assert order["OrderUniquifier"] > 0
    assert (item["LineNumber"], charge["LineNumber"]) == (32, 64)
    assert item["PricingUnitPrice"] == price
    assert order["OrderItemTotalAmount"] == price * 8
    assert order["OrderTotalMiscellaneousCharges"] == Decimal("20.25")
    assert order["OrderExclTaxTotal"] == item["TaxAmount1"] + charge["TaxAmount1"] > 0
    assert order["OrderTotal"] == price * 8 + Decimal("20.25") + order["OrderExclTaxTotal"]
    assert order["OrderFiscalPeriod"] == "Num1"
    again = sage.get(f"OE/OEOrders({order['OrderUniquifier']})")
    assert again.json()["OrderNumber"] == order["OrderNumber"]


def test_an_order_with_optional_fields_is_accepted(sage: SageService) -> None:
    line = {
        **ORDER["OrderDetails"][0],
        "OrderDetailOptionalFields": [{"LineNumber": 32, "OptionalField": "QUANTITY", "Value": "123"}],
    }
    fields = {**ORDER, "OrderDetails": [line], "OrderOptionalFields": [{"OptionalField": "UPSZONE", "Value": "RED"}]}
    assert sage.post("OE/OEOrders", fields)["OrderOptionalFields"][0]["Value"] == "RED"


def test_an_order_can_ship_and_invoice_in_one_post(sage: SageService) -> None:
    line = {**ORDER["OrderDetails"][0], "QuantityShipped": 8}
    order = sage.post("OE/OEOrders", {**ORDER, "InvoiceWillBeProduced": True, "OrderDetails": [line]})
    invoice = sage.values(f"OE/OEInvoices?$filter=OrderNumber eq '{order['OrderNumber']}'")[0]
    assert order["LastInvoiceNumber"] == invoice["InvoiceNumber"]
    assert invoice["InvoiceTotalWithTax"] == order["OrderTotal"]


def test_a_price_needs_its_override_and_must_come_after_the_item(sage: SageService) -> None:
    base = sage.world.setup.prices["A1105/0"]
    lines: list[tuple[dict[str, Any], Decimal]] = [
        ({"Item": "A1-105/0", "QuantityOrdered": 1, "PricingUnitPrice": 7}, base),
        ({"PricingUnitPrice": 7, "PriceOverride": True, "Item": "A1-105/0", "QuantityOrdered": 1}, base),
        ({"Item": "A1-105/0", "PricingUnitPrice": 7, "QuantityOrdered": 1, "PriceOverride": True}, base),
        ({"Item": "A1-105/0", "QuantityOrdered": 1, "PricingUnitPrice": 7, "PriceOverride": True}, Decimal(7)),
        ({"Item": "A1-105/0", "QuantityOrdered": 1, "PriceOverride": True, "PricingUnitPrice": 7}, Decimal(7)),
    ]
    for line, expected in lines:
        assert sage.post("OE/OEOrders", order_with(**line))["OrderDetails"][0]["PricingUnitPrice"] == expected


def test_a_description_before_the_item_is_lost(sage: SageService) -> None:
    order = sage.post("OE/OEOrders", order_with(Description="Mine", Item="A1-105/0", QuantityOrdered=1))
    assert order["OrderDetails"][0]["Description"].startswith("Fluorescent")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"CustomerNumber": "NOPE"}, "FieldInvalid", "does not exist"),
        ({"CustomerNumber": "1900"}, "FieldInvalid", "inactive"),
        ({"CustomerNumber": "1800"}, "General", "on hold"),
        ({"CustomerNumber": ""}, "FieldInvalid", "does not exist"),
        ({"OrderDetails": []}, "RecordInvalid", "no details"),
        (
            {"OrderDetails": [{"Item": "NOPE", "QuantityOrdered": 1}]},
            "FieldInvalid",
            "Item number NOPE does not exist. ",
        ),
        ({"OrderDetails": [{"Item": "A1-200/0", "QuantityOrdered": 1}]}, "FieldInvalid", "is inactive"),
        ({"OrderDetails": [{"Item": "A1-105/0", "QuantityOrdered": 0}]}, "FieldInvalid", "greater than zero"),
        ({"OrderDetails": [{"Item": "A1-105/0", "QuantityOrdered": 1, "Location": "9"}]}, "FieldInvalid", "Location 9"),
        ({"OrderDetails": [{"MiscellaneousChargesCode": "NOPE"}]}, "FieldInvalid", "NOPE does not exist"),
        ({"OrderDate": "2012-01-01"}, "FieldInvalid", "Cannot determine the fiscal period for Order Date.\n"),
        ({"ShipToAddressLine1": ""}, "General", "ship-to address is incomplete"),
        ({"OrderNumber": "ORD000000001"}, "RecordDuplicate", "already exists"),
    ],
)
def test_orders_are_refused_in_sages_words(sage: SageService, change: dict[str, Any], code: str, words: str) -> None:
    before = len(sage.world.table("OEOrders"))
    status, got, text = refusal(sage.call("POST", "OE/OEOrders", {**ORDER, **change}))
    assert (status, got) == (409, code)
    assert words in text
    assert len(sage.world.table("OEOrders")) == before


def test_a_closed_period_refuses_orders(sage: SageService) -> None:
    sage.act("close_fiscal_period", year=2020, period=1)
    assert "Cannot determine the fiscal period" in refusal(sage.call("POST", "OE/OEOrders", ORDER))[2]


def test_an_order_is_found_by_its_reference(sage: SageService) -> None:
    number = sage.post("OE/OEOrders", {**ORDER, "OrderReference": "4711"})["OrderNumber"]
    found = sage.values("OE/OEOrders?$filter=OrderReference eq '4711'&$select=OrderNumber")
    assert [row["OrderNumber"] for row in found] == [number]


def test_an_items_stocking_unit_needs_no_row_of_its_own(sage: SageService) -> None:
    item = {"UnformattedItemNumber": "LAMP", "StockingUnitOfMeasure": "Ea.", "ItemUnitsOfMeasure": [{}]}
    sage.post("IC/ICItems", item)
    line = {"LineType": "Item", "Item": "LAMP", "QuantityOrdered": 1}
    assert sage.post("OE/OEOrders", order_with(**line, OrderUnitOfMeasure="Ea."))["NumberOfLinesOnOrder"] == 1
    reply = sage.call("POST", "OE/OEOrders", order_with(**line, OrderUnitOfMeasure="Box"))
    assert refusal(reply)[1] == "FieldInvalid"
