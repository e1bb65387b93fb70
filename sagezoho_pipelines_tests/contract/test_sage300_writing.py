"""Writing to the simulated Sage 300: master records, orders, invoices, batches, and what people do."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from sagezoho_pipelines_tests.contract.sage_service import SageService, refusal, sage_service

ORDER: dict[str, Any] = {
    "CustomerNumber": "1400",
    "OrderDescription": "Order Entry",
    "OrderDate": "2020-01-15",
    "OrderDetails": [
        {"LineType": "Item", "Item": "A1-105/0", "Location": "1", "QuantityOrdered": 8},
        {"LineType": "Miscellaneous", "MiscellaneousChargesCode": "HC", "ExtendedAmount": Decimal("20.25")},
    ],
}


@pytest.fixture
def sage() -> Iterator[SageService]:
    with sage_service(vendors=30) as running:
        yield running


def order_with(**lines: Any) -> dict[str, Any]:
    return {"CustomerNumber": "1400", "OrderDetails": [lines]}


def test_the_minimal_customer_takes_the_rest_from_its_group(sage: SageService) -> None:
    fields = {"CustomerNumber": "z_postman", "GroupCode": "RTL", "TaxGroup": "CALIF", "ShortName": "Old Name"}
    customer = sage.post("AR/ARCustomers", fields)
    assert customer["CustomerNumber"] == "Z_POSTMAN"
    assert (customer["Status"], customer["Terms"].rstrip(), customer["AccountSet"].rstrip()) == (
        "Active",
        "COD",
        "TRADE",
    )
    assert customer["DateLastMaintained"] == "2026-09-15T00:00:00Z"
    assert sage.get("AR/ARCustomers('Z_POSTMAN')").status_code == 200


def test_the_fuller_official_customer_is_accepted(sage: SageService) -> None:
    customer = sage.post(
        "AR/ARCustomers",
        {
            "CustomerNumber": "1501",
            "ShortName": "1501",
            "GroupCode": "WHL",
            "NationalAccount": "",
            "Status": "Active",
            "OnHold": "No",
            "CustomerName": "Customer 1501",
            "AccountSet": "USA",
            "BillingCycle": "BILLMT",
            "InterestProfile": "INTWHS",
            "CurrencyCode": "USD",
            "PrintStatements": "Yes",
            "AccountType": "OpenItem",
            "Terms": "N30",
            "TaxGroup": "USDTAX",
            "CreditLimitCustomerCurrency": 12345,
            "CustomerPriceList": "WHS",
        },
    )
    assert (customer["AccountSet"].rstrip(), customer["TaxGroup"]) == ("USA", "USDTAX")


def test_the_minimal_vendor_is_accepted(sage: SageService) -> None:
    fields = {
        "VendorNumber": "1401",
        "ShortName": "1401",
        "GroupCode": "INV",
        "OnHold": "NotOnHold",
        "VendorName": "1401 Name",
    }
    assert sage.post("AP/APVendors", fields)["CurrencyCode"] == "USD"


def test_a_group_overwrites_what_came_before_it(sage: SageService) -> None:
    fields = {"CustomerNumber": "C1", "Terms": "N60", "GroupCode": "RTL"}
    assert sage.post("AR/ARCustomers", fields)["Terms"].rstrip() == "COD"
    fields = {"CustomerNumber": "C2", "GroupCode": "RTL", "Terms": "N60"}
    assert sage.post("AR/ARCustomers", fields)["Terms"].rstrip() == "N60"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"CustomerNumber": "1400", "GroupCode": "RTL"}, "RecordDuplicate"),
        ({"CustomerNumber": "C1"}, "RecordInvalid"),
        ({"GroupCode": "RTL"}, "RecordInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "NOTAX"}, "RecordInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "NOPE"}, "FieldInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "TaxGroup": "NOPE"}, "FieldInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "Terms": "NOPE"}, "FieldInvalid"),
        ({"CustomerNumber": "C123456789012", "GroupCode": "RTL"}, "FieldInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "DateLastMaintained": "2020-01-01"}, "FieldInvalid"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "InvalidProperty": "x"}, "InvalidPayload"),
        ({"CustomerNumber": 1400, "GroupCode": "RTL"}, "InvalidPayload"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "OnHold": True}, "InvalidPayload"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "OnHold": "Perhaps"}, "InvalidPayload"),
        ({"CustomerNumber": "C1", "GroupCode": "RTL", "StartDate": "yesterday"}, "InvalidPayload"),
        ([], "InvalidPayload"),
    ],
)
def test_customers_that_do_not_fit_are_refused(sage: SageService, fields: Any, code: str) -> None:
    status = 400 if code == "InvalidPayload" else 409
    assert refusal(sage.call("POST", "AR/ARCustomers", fields))[:2] == (status, code)
    assert sage.get("AR/ARCustomers('C1')").status_code == 404


def test_several_messages_share_one_value(sage: SageService) -> None:
    fields = {"CustomerNumber": "C" * 13, "ShortName": "S" * 11, "GroupCode": "RTL"}
    _, _, text = refusal(sage.call("POST", "AR/ARCustomers", fields))
    assert len(text.split("\n")) == 2


def test_patch_changes_only_what_it_holds(sage: SageService) -> None:
    before = sage.get("AP/APVendors('1200')").json()
    reply = sage.call("PATCH", "AP/APVendors('1200')", {"VendorName": "Renamed"})
    assert (reply.status_code, reply.content) == (204, b"")
    after = sage.get("AP/APVendors('1200')").json()
    changed = {name for name in after if after[name] != before[name] and not name.startswith("@")}
    assert changed == {"VendorName", "DateLastMaintained"}


def test_put_purges_the_details_it_does_not_hold(sage: SageService) -> None:
    options = [{"OptionalField": "REGION", "Value": "WEST", "UpdateOperation": "Insert"}]
    assert sage.call("PATCH", "AP/APVendors('1200')", {"VendorOptionalFieldValues": options}).status_code == 204
    assert sage.call("PATCH", "AP/APVendors('1200')", {"City": "Oslo"}).status_code == 204
    assert len(sage.get("AP/APVendors('1200')").json()["VendorOptionalFieldValues"]) == 1
    assert sage.call("PUT", "AP/APVendors('1200')", {"City": "Rome"}).status_code == 204
    vendor = sage.get("AP/APVendors('1200')").json()
    assert (vendor["VendorOptionalFieldValues"], vendor["GroupCode"]) == ([], "INV")


def test_delete_is_refused_while_in_use(sage: SageService) -> None:
    assert refusal(sage.call("DELETE", "AR/ARCustomers('1100')"))[:2] == (409, "General")
    sage.post("AR/ARCustomers", {"CustomerNumber": "GONE", "GroupCode": "RTL"})
    assert sage.call("DELETE", "AR/ARCustomers('GONE')").status_code == 204
    assert refusal(sage.get("AR/ARCustomers('GONE')"))[:2] == (404, "RecordNotFound")


def test_maintenance_dates_follow_the_session_date_back_too(sage: SageService) -> None:
    sage.act("set_session_date", date="2025-02-03")
    sage.act("edit_vendor", vendor="1200", fields={"City": "Bern"})
    assert sage.get("AP/APVendors('1200')").json()["DateLastMaintained"] == "2025-02-03T00:00:00Z"


def test_a_template_shows_defaults_and_stores_nothing(sage: SageService) -> None:
    assert sage.post("AR/ARCustomers('$template')", {}, status=200)["Status"] == "Active"
    assert sage.get("AR/ARCustomers?$count=true&$top=1").json()["@odata.count"] == 12


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


def test_shipping_in_parts_invoices_in_parts_and_posts_receivables(sage: SageService) -> None:
    order = sage.post("OE/OEOrders", ORDER)
    first = sage.act("ship_and_invoice_order", order=order["OrderNumber"], lines={"1": 3})
    assert first["OrderCompleted"] == "IncompleteNotIncluded"
    second = sage.act("ship_and_invoice_order", order=order["OrderNumber"])
    assert second["OrderCompleted"] == "CompleteNotIncluded"
    invoices = sage.values(f"OE/OEInvoices?$filter=OrderNumber eq '{order['OrderNumber']}'")
    assert [len(one["InvoiceDetails"]) for one in invoices] == [2, 1]
    assert sum(one["InvoiceTotalWithTax"] for one in invoices) == pytest.approx(
        order["OrderTotal"], abs=Decimal("0.02")
    )
    path = f"AR/ARPostedDocuments('1400','{first['InvoiceNumber']}')"
    assert sage.get(path).json()["OrderNumber"] == order["OrderNumber"]


def test_the_orders_discount_goes_with_its_invoices(sage: SageService) -> None:
    order = sage.post("OE/OEOrders", {**ORDER, "OrderDiscountPercentage": 10})
    number = sage.act("ship_and_invoice_order", order=order["OrderNumber"])["InvoiceNumber"]
    [invoice] = sage.values(f"OE/OEInvoices?$filter=InvoiceNumber eq '{number}'")
    assert invoice["InvoiceDiscountAmount"] == order["OrderDiscountAmount"] > 0
    assert invoice["InvoiceTotalWithTax"] == order["OrderTotal"]


def test_an_items_stocking_unit_needs_no_row_of_its_own(sage: SageService) -> None:
    item = {"UnformattedItemNumber": "LAMP", "StockingUnitOfMeasure": "Ea.", "ItemUnitsOfMeasure": [{}]}
    sage.post("IC/ICItems", item)
    line = {"LineType": "Item", "Item": "LAMP", "QuantityOrdered": 1}
    assert sage.post("OE/OEOrders", order_with(**line, OrderUnitOfMeasure="Ea."))["NumberOfLinesOnOrder"] == 1
    reply = sage.call("POST", "OE/OEOrders", order_with(**line, OrderUnitOfMeasure="Box"))
    assert refusal(reply)[1] == "FieldInvalid"


def test_a_payment_in_parts_closes_the_document_at_last(sage: SageService) -> None:
    order = sage.post("OE/OEOrders", ORDER)
    number = sage.act("ship_and_invoice_order", order=order["OrderNumber"])["InvoiceNumber"]
    assert sage.act("receive_payment", document=number, amount="10")["FullyPaid"] == "No"
    sage.act("receive_payment", document=number)
    document = sage.get(f"AR/ARPostedDocuments('1400','{number}')").json()
    assert (document["FullyPaid"], document["DatePaid"]) == ("Yes", "2026-09-15T00:00:00Z")
    assert document["CustomerCurrencyAmountDue"] == 0


def test_posting_does_not_move_the_customers_maintenance_date(sage: SageService) -> None:
    before = sage.get("AR/ARCustomers('1400')").json()
    order = sage.post("OE/OEOrders", ORDER)
    sage.act("ship_and_invoice_order", order=order["OrderNumber"])
    after = sage.get("AR/ARCustomers('1400')").json()
    assert after["DateLastMaintained"] == before["DateLastMaintained"]
    assert after["BalanceDueInCustomerCurrency"] > before["BalanceDueInCustomerCurrency"]


def test_an_ar_batch_is_posted_in_three_steps(sage: SageService) -> None:
    line = {"BatchNumber": 75, "EntryNumber": 1, "LineNumber": 20, "DistributionCode": "CACCSE"}
    schedule = {"BatchNumber": 75, "EntryNumber": 1, "PaymentNumber": 1, "AmountDue": 226, "DueDate": "2020-01-15"}
    entry = {
        "BatchNumber": 75,
        "EntryNumber": 1,
        "CustomerNumber": "1400",
        "OrderNumber": "ORD000000001",
        "DocumentType": "Invoice",
        "DocumentDate": "2020-01-15",
        "DueDate": "2020-01-15",
        "InvoiceType": "Summary",
        "InvoiceDetails": [{**line, "ExtendedAmountWithTIP": 200}],
        "InvoicePaymentSchedules": [schedule],
    }
    interest = {**entry, "EntryNumber": 2, "DocumentType": "4", "TransactionType": "InterestCharge"}
    fields = {"BatchNumber": 75, "BatchDate": "2020-01-15", "BatchStatus": "Open", "Invoices": [entry, interest]}
    batch = sage.post("AR/ARInvoiceBatches", fields)
    number = batch["BatchNumber"]
    document = batch["Invoices"][0]["DocumentNumber"]
    assert (number, batch["NumberOfEntries"], batch["DateLastEdited"]) == (1, 2, "2026-09-15T00:00:00Z")
    process = {"PostAllBatches": "Donotpostallbatches", "PostBatchFrom": number, "PostBatchTo": number}
    assert sage.call("POST", "AR/ARPostInvoices('$process')", process).status_code == 204
    assert sage.get(f"AR/ARInvoiceBatches({number})").json()["BatchStatus"] == "Open"
    ready = {"BatchNumber": number, "BatchStatus": "ReadyToPost"}
    assert sage.call("PATCH", f"AR/ARInvoiceBatches({number})", ready).status_code == 204
    assert sage.call("POST", "AR/ARPostInvoices('$process')", process).status_code == 204
    assert sage.get(f"AR/ARInvoiceBatches({number})").json()["BatchStatus"] == "Posted"
    posted = sage.get(f"AR/ARPostedDocuments('1400','{document}')").json()
    assert posted["OrderNumber"] == "ORD000000001"
    assert refusal(sage.call("PATCH", f"AR/ARInvoiceBatches({number})", ready))[:2] == (409, "General")


def ap_batch(document: str) -> dict[str, Any]:
    line = {"BatchNumber": 109, "EntryNumber": 1, "LineNumber": 20, "DistributionCode": "INV", "DistributedAmount": 80}
    entry = {
        "BatchNumber": 109,
        "EntryNumber": 1,
        "VendorNumber": "1200",
        "DocumentNumber": document,
        "DocumentType": "Invoice",
        "InvoiceDescription": "INVOICE DESCRIPTION1",
        "DocumentDate": "2020-01-21",
        "DueDate": "2020-02-25",
        "DocumentTotalIncludingTax": Decimal("86.6"),
        "InvoiceDetails": [line],
    }
    return {"BatchNumber": 109, "BatchDate": "2020-01-18", "BatchStatus": "Open", "Invoices": [entry]}


def test_an_ap_batch_moves_the_vendors_balance_but_not_its_maintenance_date(sage: SageService) -> None:
    before = sage.get("AP/APVendors('1200')").json()
    batch = sage.post("AP/APInvoiceBatches", ap_batch("APINV109-01C"))
    assert batch["BatchTotal"] == Decimal("86.6")
    sage.act("post_ap_batch", batch=int(batch["BatchNumber"]))
    after = sage.get("AP/APVendors('1200')").json()
    assert after["NumberOfOpenInvoices"] == before["NumberOfOpenInvoices"] + 1
    assert after["BalanceDueInVendorCurrency"] == pytest.approx(before["BalanceDueInVendorCurrency"] + 86.6)
    assert after["DateOfLastInvoice"] == "2020-01-21T00:00:00Z"
    assert after["DateLastMaintained"] == before["DateLastMaintained"]


def test_an_ap_document_number_is_used_once_for_a_vendor(sage: SageService) -> None:
    sage.post("AP/APInvoiceBatches", ap_batch("BILL-1"))
    status, code, text = refusal(sage.call("POST", "AP/APInvoiceBatches", ap_batch("BILL-1")))
    assert (status, code) == (409, "RecordDuplicate")
    assert text.startswith("Document number 'BILL-1' for vendor 1200 already exists. ")


def test_people_do_what_they_do(sage: SageService) -> None:
    vendor = sage.act("add_vendor", fields={"VendorName": "Walk-in"})["VendorNumber"]
    assert sage.get(f"AP/APVendors('{vendor}')").status_code == 200
    sage.act("delete_vendor", vendor=vendor)
    assert sage.get(f"AP/APVendors('{vendor}')").status_code == 404
    sage.act("hold_customer", customer="1400")
    assert refusal(sage.call("POST", "OE/OEOrders", ORDER))[1] == "General"
    sage.act("hold_customer", customer="1400", hold=False)
    sage.act("add_item", item="NEW-1", price="12.5")
    order = sage.post("OE/OEOrders", order_with(Item="NEW-1", QuantityOrdered=2))
    assert order["OrderItemTotalAmount"] == 25
    batch = sage.act("add_ar_batch", customer="1400", amount="100", order=order["OrderNumber"])
    sage.act("post_ar_batch", batch=batch["BatchNumber"])
    found = sage.values(f"AR/ARPostedDocuments?$filter=OrderNumber eq '{order['OrderNumber']}'")
    assert [row["DocumentNumber"] for row in found] == batch["DocumentNumbers"]
    bills = sage.act("add_ap_batch", entries=[{"vendor": "1200", "amount": 5}, {"vendor": "1200", "amount": 6}])
    assert sage.act("post_ap_batch", batch=bills["BatchNumber"]) == {"BatchStatus": "Posted", "NumberOfErrors": 0}


def test_an_optional_field_is_written_as_text_or_typed_and_read_as_both(sage: SageService) -> None:
    path, rows = "AP/APVendors('1200')", "VendorOptionalFieldValues"
    sent = [{"OptionalField": "QUANTITY", "Value": "12.5"}, {"OptionalField": "REGION", "TextValue": "WEST"}]
    assert sage.call("PATCH", path, {rows: sent}).status_code == 204
    quantity, region = sage.get(path, params={"$select": rows}).json()[rows]
    assert (quantity["Value"], quantity["NumberValue"], quantity["VendorOptionalFieldValueType"]) == (
        "12.5",
        12.5,
        "Number",
    )
    assert (region["Value"], region["ValueSet"], region["OptionalFieldDescription"]) == ("WEST", "Yes", "Sales region")
    assert sage.get(path).json()["NumberOfOptionalFields"] == 2
    blanked = [{"OptionalField": "REGION", "Value": ""}, {"OptionalField": "QUANTITY", "UpdateOperation": "Delete"}]
    assert sage.call("PATCH", path, {rows: blanked}).status_code == 204
    [region] = sage.get(path).json()[rows]
    assert (region["Value"], region["ValueSet"]) == ("", "No")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"OptionalField": "NONESUCH", "Value": "1"}, "Optional field 'NONESUCH' does not exist."),
        ({"OptionalField": "QUANTITY", "Value": "many"}, "The value 'many' is not valid."),
        ({"OptionalField": "UPSZONE", "Value": "x" * 11}, "maximum length of 10"),
    ],
)
def test_an_optional_field_that_does_not_fit_is_refused(sage: SageService, row: dict[str, str], text: str) -> None:
    reply = sage.call("PATCH", "AP/APVendors('1200')", {"VendorOptionalFieldValues": [row]})
    assert reply.status_code == 409
    assert text in reply.json()["error"]["message"]["value"]


def test_an_older_release_lacks_a_property_everywhere(sage: SageService) -> None:
    sage.world.switches.hidden = ("APVendors.WebSite",)
    assert "WebSite" not in sage.get("AP/APVendors('1200')").json()
    assert sage.get("AP/APVendors", params={"$select": "WebSite"}).status_code == 400
    assert sage.call("PATCH", "AP/APVendors('1200')", {"WebSite": "x"}).status_code == 400
    assert 'Name="WebSite"' not in sage.get("AP/$metadata").text
    assert 'Name="WebSite"' in sage.get("AR/$metadata").text
