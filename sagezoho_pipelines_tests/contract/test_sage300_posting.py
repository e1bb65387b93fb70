"""What becomes of documents in the simulated Sage 300: shipped, invoiced, posted and paid."""

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
