"""Invoice batches of A/R and A/P as they are written: entries, totals, numbers, and ReadyToPost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.invoicing import TERM_DAYS
from sagezoho_pipelines.sandbox.sage300.payloads import OPERATION, merge_details, without_operations
from sagezoho_pipelines.sandbox.sage300.schema import Row, words
from sagezoho_pipelines.sandbox.sage300.taxes import line_taxes

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

LINE_STEP = 20
_COMPUTED = (
    *("NumberOfEntries", "LastEntryNumber", "BatchTotal", "DateLastEdited"),
    *("PostingSequenceNumber", "NumberOfErrors"),
)
_SETTABLE = ("Open", "ReadyToPost")
_EDITABLE = ("BatchDate", "Description", "BatchStatus", "DefaultInvoiceType", "BatchPrintedFlag")


@dataclass(frozen=True)
class Ledger:
    """How A/R and A/P batches differ."""

    batches: str
    party: str
    parties: str
    terms: str
    title: str
    amount: str
    prefix: str
    tax_side: str


LEDGERS = {
    "ARInvoiceBatches": Ledger(
        "ARInvoiceBatches",
        "CustomerNumber",
        "ARCustomers",
        "ARTerms",
        "Customer",
        "ExtendedAmountWithTIP",
        "AR",
        "Sales",
    ),
    "APInvoiceBatches": Ledger(
        "APInvoiceBatches", "VendorNumber", "APVendors", "APTerms", "Vendor", "DistributedAmount", "AP", "Purchases"
    ),
}


def create_batch(world: SageWorld, name: str, payload: Row, user: str) -> Row:
    """The stored batch with its entries completed. Raises SageError FieldInvalid, RecordDuplicate or RecordInvalid."""
    ledger, table = LEDGERS[name], world.table(name)
    _check_header(world, name, payload, _SETTABLE)
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
    if payload.get("BatchNumber", batch["BatchNumber"]) != batch["BatchNumber"]:
        raise SageError("InvalidPayload", "The property 'BatchNumber' differs from the key in the URL.")
    _check_header(world, name, payload, (*_SETTABLE, "Deleted"))
    changed = batch | {key: value for key, value in payload.items() if key in _EDITABLE and key != OPERATION}
    if "Invoices" in payload:
        merged = merge_details(batch.get("Invoices", []), payload["Invoices"], "EntryNumber")
        changed["Invoices"] = [_entry(world, ledger, changed, entry, at, user) for at, entry in enumerate(merged)]
        _check_distinct(ledger, changed["Invoices"])
    return table.put(_summed(world, changed))


def _check_header(world: SageWorld, name: str, payload: Row, statuses: tuple[str, ...]) -> None:
    """Raises SageError FieldInvalid for what only Sage sets, a status that posting gives, and a blank date."""
    fields = world.table(name).entity.type.fields
    wrong = [
        f"{words(one)}. Field is calculated and cannot be changed."
        for one in _COMPUTED
        if payload.get(one, fields[one].default) != fields[one].default and world.switches.read_only_fields == "refused"
    ]
    if payload.get("BatchStatus", "Open") not in statuses:
        wrong.append("Batch Status. The status can only be set to Open or Ready To Post.")
    if "BatchDate" in payload and payload["BatchDate"] is None:
        wrong.append("Batch Date cannot be blank.")
    if wrong:
        raise SageError("FieldInvalid", *wrong)


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
    _check_entry(world, ledger, sent, party)
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


def _check_entry(world: SageWorld, ledger: Ledger, sent: Row, party: Row) -> None:
    """Raises SageError FieldInvalid for terms and tax groups that do not exist, and for another currency."""
    terms, group = sent.get("Terms", "").rstrip(), sent.get("TaxGroup", "").rstrip()
    wrong = [f"Terms code {terms} does not exist."] if terms and (terms,) not in world.table(ledger.terms) else []
    if group and (group, ledger.tax_side) not in world.table("TXTaxGroups"):
        wrong.append(f"Tax group {group} does not exist.")
    currency = sent.get("CurrencyCode", "").rstrip()
    if currency and currency != party.get("CurrencyCode"):
        wrong.append(f"Currency {currency} is not the {ledger.title.lower()}'s currency.")
    if wrong:
        raise SageError("FieldInvalid", *wrong)


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
        decimals = world.decimals(entry["CurrencyCode"])
        taxes = line_taxes(world, entry["TaxGroup"], net, decimals, exempt=False) if ledger.prefix == "AR" else []
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
