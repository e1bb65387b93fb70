"""Invoice batches of A/R and A/P: entries, totals, ReadyToPost, posting, and what posting does to balances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.invoicing import TERM_DAYS
from sagezoho_pipelines.sandbox.sage300.payloads import OPERATION, merge_details, without_operations
from sagezoho_pipelines.sandbox.sage300.receivables import post_receivable
from sagezoho_pipelines.sandbox.sage300.schema import Row
from sagezoho_pipelines.sandbox.sage300.taxes import line_taxes

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

LINE_STEP = 20
_EDITABLE = ("BatchDate", "Description", "BatchStatus", "DefaultInvoiceType", "BatchPrintedFlag")


@dataclass(frozen=True)
class Ledger:
    """How A/R and A/P batches differ."""

    batches: str
    party: str
    parties: str
    title: str
    amount: str
    prefix: str
    tax_side: str


LEDGERS = {
    "ARInvoiceBatches": Ledger(
        "ARInvoiceBatches", "CustomerNumber", "ARCustomers", "Customer", "ExtendedAmountWithTIP", "AR", "Sales"
    ),
    "APInvoiceBatches": Ledger(
        "APInvoiceBatches", "VendorNumber", "APVendors", "Vendor", "DistributedAmount", "AP", "Purchases"
    ),
}


def create_batch(world: SageWorld, name: str, payload: Row, user: str) -> Row:
    """The stored batch with its entries completed. Raises SageError FieldInvalid, RecordDuplicate or RecordInvalid."""
    ledger, table = LEDGERS[name], world.table(name)
    number = payload.get("BatchNumber")
    if world.switches.batch_number_sent == "ignored" or not number:
        number = Decimal(world.next_number(f"{name} batch"))
    elif (number,) in table:
        raise SageError("RecordDuplicate", f"Batch number {number} already exists.")
    batch = {
        "BatchNumber": number,
        "BatchDate": world.session_date,
        "BatchStatus": "Open",
        "SourceApplication": ledger.prefix,
        **{key: payload[key] for key in _EDITABLE if key in payload},
    }
    sent = [without_operations(entry) for entry in payload.get("Invoices", [])]
    batch["Invoices"] = [_entry(world, ledger, batch, entry, at, user) for at, entry in enumerate(sent)]
    _check_distinct(ledger, batch["Invoices"])
    return table.put(_summed(world, batch))


def update_batch(world: SageWorld, name: str, batch: Row, payload: Row, user: str) -> Row:
    """PATCH of a batch. Raises SageError General for a batch that was posted or deleted."""
    ledger, table = LEDGERS[name], world.table(name)
    if batch["BatchStatus"] not in ("Open", "ReadyToPost"):
        raise SageError(
            "General", f"Batch {batch['BatchNumber']} cannot be edited. Its status is {batch['BatchStatus']}."
        )
    if payload.get("BatchStatus", "Open") not in ("Open", "ReadyToPost", "Deleted"):
        raise SageError("FieldInvalid", "Batch Status. The status can only be set to Open or Ready To Post.")
    changed = batch | {key: value for key, value in payload.items() if key in _EDITABLE and key != OPERATION}
    if "Invoices" in payload:
        merged = merge_details(batch.get("Invoices", []), payload["Invoices"], "EntryNumber")
        changed["Invoices"] = [_entry(world, ledger, changed, entry, at, user) for at, entry in enumerate(merged)]
        _check_distinct(ledger, changed["Invoices"])
    return table.put(_summed(world, changed))


def _summed(world: SageWorld, batch: Row) -> Row:
    entries = batch["Invoices"]
    return batch | {
        "NumberOfEntries": Decimal(len(entries)),
        "LastEntryNumber": Decimal(len(entries)),
        "BatchTotal": sum((entry["DocumentTotalIncludingTax"] for entry in entries), Decimal(0)),
        "DateLastEdited": world.session_date,
    }


def _entry(world: SageWorld, ledger: Ledger, batch: Row, sent: Row, at: int, user: str) -> Row:
    number = str(sent.get(ledger.party, "")).upper()
    party = world.table(ledger.parties).get(number)
    if party is None:
        raise SageError("FieldInvalid", f"{ledger.title} '{number}' does not exist.")
    if party.get("Status") == "Inactive":
        raise SageError("FieldInvalid", f"{ledger.title} '{number}' is inactive.")
    day = sent.get("DocumentDate") or batch["BatchDate"]
    year, period = world.fiscal_period(day, "Document Date")
    lines = _lines(world, batch, sent, at)
    net = sum((line.get(ledger.amount, Decimal(0)) for line in lines), Decimal(0))
    entry = {
        "AsOfDate": day,
        "DueDate": day + timedelta(days=TERM_DAYS.get(party.get("Terms", "").rstrip(), 30)),
        "CurrencyCode": party.get("CurrencyCode", "USD"),
        "ExchangeRate": world.setup.exchange_rates[party.get("CurrencyCode", "USD")],
        "Terms": party.get("Terms", ""),
        "TaxGroup": party.get("TaxGroup", ""),
        "DocumentType": "Invoice",
        "InvoiceType": "Summary",
        "DocumentNumber": "",
        "EnteredBy": user,
    }
    if ledger.prefix == "AP":
        del entry["InvoiceType"]
    entry |= sent | {
        ledger.party: number,
        "BatchNumber": batch["BatchNumber"],
        "EntryNumber": Decimal(at + 1),
        "DocumentDate": day,
        "FiscalYear": year,
        "FiscalPeriod": f"{period:02d}",
        "InvoiceDetails": lines,
        "NumberOfDetails": Decimal(len(lines)),
        "DocumentTotalBeforeTax": net,
    }
    _total(world, ledger, entry, net)
    _number(world, ledger, batch, entry)
    return entry


def _lines(world: SageWorld, batch: Row, sent: Row, at: int) -> list[Row]:
    lines = sent.get("InvoiceDetails", [])
    if not lines:
        raise SageError("RecordInvalid", f"Entry {at + 1} has no details.")
    unknown = [code for line in lines if (code := line.get("DistributionCode", "")) not in _codes(world)]
    if unknown:
        raise SageError("FieldInvalid", *(f"Distribution code '{code}' does not exist." for code in unknown))
    return [
        line
        | {"BatchNumber": batch["BatchNumber"], "EntryNumber": Decimal(at + 1), "LineNumber": Decimal(n * LINE_STEP)}
        for n, line in enumerate(lines, 1)
    ]


def _codes(world: SageWorld) -> frozenset[str]:
    return world.setup.distribution_codes | {""}


def _total(world: SageWorld, ledger: Ledger, entry: Row, net: Decimal) -> None:
    """A/R computes the tax; A/P takes the document total it was sent and calls the difference tax."""
    if ledger.prefix == "AP" and "DocumentTotalIncludingTax" in entry:
        tax = entry["DocumentTotalIncludingTax"] - net
        authorities: list[str] = []
    else:
        taxes = line_taxes(world, entry["TaxGroup"], net, exempt=False) if ledger.prefix == "AR" else []
        tax = sum((one.amount for one in taxes if not one.included), Decimal(0))
        authorities = [one.authority for one in taxes]
    total = net + tax
    entry |= {f"TaxAuthority{slot}": code for slot, code in enumerate(authorities, 1)}
    entry |= {"TaxTotal": tax, "DocumentTotalIncludingTax": total, "AmountDue": total}
    schedule = {"PaymentNumber": Decimal(1), "DueDate": entry["DueDate"], "AmountDue": total}
    entry["InvoicePaymentSchedules"] = [
        {**schedule, "BatchNumber": entry["BatchNumber"], "EntryNumber": entry["EntryNumber"]}
    ]


def _number(world: SageWorld, ledger: Ledger, batch: Row, entry: Row) -> None:
    number = entry["DocumentNumber"].upper()
    if not number and ledger.prefix == "AP":
        raise SageError("RecordInvalid", "Document Number cannot be blank.")
    if not number:
        number = f"INV{world.next_number('ar document'):07d}"
    taken = any(
        other is not batch
        and other["BatchNumber"] != batch["BatchNumber"]
        and other["BatchStatus"] != "Deleted"
        and any(
            one[ledger.party] == entry[ledger.party] and one["DocumentNumber"] == number for one in other["Invoices"]
        )
        for other in world.table(ledger.batches)
    )
    if taken:
        raise SageError(
            "RecordDuplicate",
            f"Document number '{number}' for {ledger.title.lower()} {entry[ledger.party]} already exists. "
            "Enter another document number.",
        )
    entry["DocumentNumber"] = number


def _check_distinct(ledger: Ledger, entries: list[Row]) -> None:
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        at = entry[ledger.party], entry["DocumentNumber"]
        if at in seen:
            raise SageError(
                "RecordDuplicate",
                f"Document number '{at[1]}' for {ledger.title.lower()} {at[0]} already exists. "
                "Enter another document number.",
            )
        seen.add(at)


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
