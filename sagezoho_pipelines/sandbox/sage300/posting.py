"""Posting invoice batches of A/R and A/P: `$process`, and what it does to documents and balances."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.receivables import post_receivable
from sagezoho_pipelines.sandbox.sage300.schema import Row

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld


def post_batches(world: SageWorld, name: str, order: Row) -> list[Decimal]:
    """`$process`: posts the batches of the range that are ready, and no others. Returns their numbers."""
    table = world.table(name)
    everything = order.get("PostAllBatches") == "Postallbatches"
    first, last = order.get("PostBatchFrom", Decimal(0)), order.get("PostBatchTo", Decimal(0))
    ready = [
        batch
        for batch in table
        if batch["BatchStatus"] == "ReadyToPost" and (everything or first <= batch["BatchNumber"] <= last)
    ]
    for batch in ready:
        _post(world, name, batch)
    return [batch["BatchNumber"] for batch in ready]


def _post(world: SageWorld, name: str, batch: Row) -> None:
    post: Callable[[SageWorld, Row], None] = _post_ar if name == "ARInvoiceBatches" else _post_ap
    errors = 0
    entries = []
    for entry in batch["Invoices"]:
        try:
            post(world, entry)
        except SageError:
            errors += 1
        entries.append(entry | {"PostingDate": world.session_date})
    world.table(name).change(
        batch,
        BatchStatus="Posted",
        Invoices=entries,
        NumberOfErrors=Decimal(errors),
        PostingSequenceNumber=Decimal(world.next_number(f"{name} posting")),
        DateLastEdited=world.session_date if world.switches.posting_touches_edited else batch.get("DateLastEdited"),
    )


def _post_ar(world: SageWorld, entry: Row) -> None:
    sign = -1 if entry["DocumentType"] == "CreditNote" else 1
    post_receivable(
        world,
        {
            "CustomerNumber": entry["CustomerNumber"],
            "DocumentNumber": entry["DocumentNumber"],
            "OrderNumber": entry.get("OrderNumber", ""),
            "PONumber": entry.get("PONumber", ""),
            "DocumentType": entry["DocumentType"],
            "DocumentDate": entry["DocumentDate"],
            "DueDate": entry["DueDate"],
            "Terms": entry["Terms"],
            "DocumentDescription": entry.get("InvoiceDescription", ""),
            "InvoiceType": entry["InvoiceType"],
            "BatchNumber": entry["BatchNumber"],
            "EntryNumber": entry["EntryNumber"],
            "CustomerCurrencyInvoiceAmount": sign * entry["DocumentTotalIncludingTax"],
            "CustomerCurrencyTaxAmount": sign * entry["TaxTotal"],
        },
    )


def _post_ap(world: SageWorld, entry: Row) -> None:
    table = world.table("APVendors")
    vendor = table.get(entry["VendorNumber"])
    if vendor is None:
        raise SageError("FieldInvalid", f"Vendor '{entry['VendorNumber']}' does not exist.")
    credit = entry["DocumentType"] == "CreditNote"
    amount = -entry["DocumentTotalIncludingTax"] if credit else entry["DocumentTotalIncludingTax"]
    home = (amount * world.setup.exchange_rates[vendor.get("CurrencyCode", "USD")]).quantize(Decimal("0.01"))
    changes: Row = {
        "BalanceDueInVendorCurrency": vendor.get("BalanceDueInVendorCurrency", Decimal(0)) + amount,
        "BalanceDueInFunctionalCurrency": vendor.get("BalanceDueInFunctionalCurrency", Decimal(0)) + home,
        "NumberOfOpenInvoices": vendor.get("NumberOfOpenInvoices", Decimal(0)) + (0 if credit else 1),
        "DateOfLastActivity": world.session_date,
        ("DateOfLastCreditNote" if credit else "DateOfLastInvoice"): entry["DocumentDate"],
    }
    if world.switches.posting_touches_maintained:
        changes["DateLastMaintained"] = world.session_date
    table.change(vendor, **changes)
