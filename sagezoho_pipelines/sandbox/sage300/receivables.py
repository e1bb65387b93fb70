"""Posted receivables: the open document of an invoice, its payment, and the customer's balance."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.schema import Row

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld


def post_receivable(world: SageWorld, document: Row) -> Row:
    """Posts a document to the customer's account.

    `document` holds at least CustomerNumber, DocumentNumber, DocumentDate and CustomerCurrencyInvoiceAmount (negative
    for a credit note). Raises SageError RecordDuplicate where the customer has that document number already.
    """
    table = world.table("ARPostedDocuments")
    customer = world.table("ARCustomers").get(document["CustomerNumber"]) or {}
    if table.get(document["CustomerNumber"], document["DocumentNumber"]) is not None:
        raise SageError(
            "RecordDuplicate",
            f"Document number '{document['DocumentNumber']}' for customer {document['CustomerNumber']} already exists.",
        )
    amount = document["CustomerCurrencyInvoiceAmount"]
    rate = world.setup.exchange_rates[customer.get("CurrencyCode", "USD")]
    home = (amount * rate).quantize(Decimal("0.01"))
    year, period = str(document["DocumentDate"].year), f"{document['DocumentDate'].month:02d}"
    row = {
        "CurrencyCode": customer.get("CurrencyCode", "USD"),
        "GroupCode": customer.get("GroupCode", ""),
        "AccountSet": customer.get("AccountSet", ""),
        "TaxGroup": customer.get("TaxGroup", ""),
        "Terms": customer.get("Terms", ""),
        "DueDate": document["DocumentDate"],
        "AsofDate": document["DocumentDate"],
        "DocumentType": "Invoice",
        "TransactionType": "InvoiceSummaryIssued",
        "FullyPaid": "No",
        "ExchangeRate": rate,
        "CustomerCurrencyAmountDue": amount,
        "FunctionalCurrencyInvoiceAmount": home,
        "FunctionalCurrencyAmountDue": home,
        "FiscalYear": year,
        "FiscalPeriod": period,
        "PostingDate": world.session_date,
        "LastActivityDate": world.session_date,
        "BatchDate": world.session_date,
        "NumberOfScheduledPayments": Decimal(1),
        "PostingSequenceNumber": Decimal(world.next_number("ar posting sequence")),
        "SourceApplication": "AR",
    } | document
    table.put(row)
    _move_balance(world, row["CustomerNumber"], amount, opened=1, paid=0)
    _note_activity(world, row["CustomerNumber"], DateOfLastInvoice=row["DocumentDate"])
    return row


def receive_payment(world: SageWorld, number: str, amount: Decimal | None) -> Row:
    """Applies a receipt to a posted document, in full when no amount is given. Raises ValueError."""
    document = _posted(world, number)
    due = document["CustomerCurrencyAmountDue"]
    paid = due if amount is None else amount
    if not 0 < paid <= due:
        raise ValueError(f"{paid} cannot be applied to {number}: {due} is due")
    return _apply(world, document, paid)


def return_payment(world: SageWorld, number: str, amount: Decimal) -> Row:
    """A returned cheque: what had been applied to a posted document is due again. Raises ValueError."""
    document = _posted(world, number)
    applied = document["CustomerCurrencyInvoiceAmount"] - document["CustomerCurrencyAmountDue"]
    if not 0 < amount <= applied:
        raise ValueError(f"{amount} cannot be taken back from {number}: {applied} was applied")
    return _apply(world, document, -amount)


def _posted(world: SageWorld, number: str) -> Row:
    found = world.table("ARPostedDocuments").where(DocumentNumber=number)
    if not found:
        raise ValueError(f"no posted document {number}")
    return found[0]


def _apply(world: SageWorld, document: Row, paid: Decimal) -> Row:
    was_paid = not document["CustomerCurrencyAmountDue"]
    left = document["CustomerCurrencyAmountDue"] - paid
    day = world.session_date
    changed = world.table("ARPostedDocuments").change(
        document,
        CustomerCurrencyAmountDue=left,
        FunctionalCurrencyAmountDue=(left * document["ExchangeRate"]).quantize(Decimal("0.01")),
        FullyPaid="No" if left else "Yes",
        DatePaid=None if left else day,
        LastActivityDate=day,
        LastAppliedPaymentSequenceNumber=document.get("LastAppliedPaymentSequenceNumber", Decimal(0)) + 1,
    )
    closed = int(not left) - int(was_paid)
    _move_balance(world, document["CustomerNumber"], -paid, opened=-closed, paid=closed)
    _note_activity(world, document["CustomerNumber"], DateOfLastReceipt=day)
    return changed


def _move_balance(world: SageWorld, number: str, amount: Decimal, *, opened: int, paid: int) -> None:
    table = world.table("ARCustomers")
    customer = table.get(number)
    if customer is None:
        return
    rate = world.setup.exchange_rates[customer.get("CurrencyCode", "USD")]
    table.change(
        customer,
        BalanceDueInCustomerCurrency=customer.get("BalanceDueInCustomerCurrency", Decimal(0)) + amount,
        BalanceDueInFunctionalCurrency=customer.get("BalanceDueInFunctionalCurrency", Decimal(0))
        + (amount * rate).quantize(Decimal("0.01")),
        NumberOfOpenDocuments=customer.get("NumberOfOpenDocuments", Decimal(0)) + opened,
        NumberOfPaidInvoices=customer.get("NumberOfPaidInvoices", Decimal(0)) + paid,
    )


def _note_activity(world: SageWorld, number: str, **dates: date) -> None:
    table = world.table("ARCustomers")
    customer = table.get(number)
    if customer is None:
        return
    if world.switches.posting_touches_maintained:
        dates["DateLastMaintained"] = world.session_date
    table.change(customer, DateOfLastActivity=world.session_date, **dates)
