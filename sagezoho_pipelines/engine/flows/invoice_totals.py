"""What an invoice comes to: Zoho adds up its lines, Sage's document says what is owed. They agree, or it is told.

Sage's tax has no place on Zoho's lines: a line there names taxes of Zoho's own. What the lines lack of Sage's total is
the invoice's Adjustment, its header discount the Discount, and a note on the invoice says what the Adjustment is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.mapping import as_number
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.domain.widths import cut
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.zoho_modules import fields_of

#: What Zoho computes of an invoice, and what of ours goes into it.
GRAND_TOTAL, DISCOUNT, ADJUSTMENT = "Grand_Total", "Discount", "Adjustment"
#: Header figures that are read beside those that the mapping names.
COLUMNS = ("InvoiceTotalWithTax", "InvoiceDiscountAmount", "InvoiceExcludedTaxTotAmount", "TotalTaxAmount")
AR_COLUMNS = ("DocumentTotalIncludingTax", "TaxTotal")
_TOTALS = ("InvoiceTotalWithTax", "DocumentTotalIncludingTax")
_TAXES = ("TotalTaxAmount", "TaxTotal")
#: What a line is billed at, by document and release: after its own discount where Sage says so.
_AMOUNTS = ("DiscountedExtendedAmount", "ExtendedShippedPriceMiscellaneousCha", "ExtendedAmountWithTIP")
#: Characters of the note.
NOTE = 255
#: Quantity and price of Sage have up to 19 digits each.
_DIGITS = 60


@dataclass(frozen=True, slots=True)
class Total:
    """`whole` is what Sage says, `shown` what Zoho will; the others are what the mapping sees."""

    whole: Decimal
    shown: Decimal
    discount: Decimal | None = None
    adjustment: Decimal | None = None
    note: str | None = None

    def stands_in(self, record: Row) -> bool:
        """Whether the record is written as this says."""
        return (record.get(DISCOUNT), record.get(ADJUSTMENT)) == (self.discount, self.adjustment)

    def as_row(self) -> Row:
        return {"discount": self.discount, "adjustment": self.adjustment, "note": self.note and cut(self.note, NOTE)}


@dataclass(frozen=True, slots=True)
class Decimals:
    """How many decimals Zoho keeps of a line's price and quantity; None where it does not say."""

    price: int | None = None
    quantity: int | None = None


def decimals_of(ctx: Context, lines: str) -> Decimals:
    def ask() -> Decimals:
        try:
            fields = fields_of(ctx, lines)
        except VendorError as error:
            if error.verdict is Verdict.FATAL:
                raise
            return Decimals()
        price, quantity = (fields[name].decimals if name in fields else None for name in ("List_Price", "Quantity"))
        return Decimals(price, quantity)

    found: Decimals = ctx.facts.get(f"decimals of {lines}", ask)
    return found


def adding_up(line: Row, detail: Row, decimals: Decimals) -> Row:
    """The line, if Zoho makes of it what Sage bills for it; else one unit at that amount, described as what it is.

    A price of a tenth of a cent, or a third of one, is none in Zoho's currency fields, nor is a third of an hour a
    quantity where Zoho's have two decimals.
    """
    billed = next((as_number(detail[name]) for name in _AMOUNTS if detail.get(name) is not None), None)
    price, quantity = line.get("List_Price"), line.get("Quantity")
    if billed is None or price is None or quantity is None:
        return line
    if _net(line, decimals) == billed and _rounded(as_number(quantity), decimals.quantity) == as_number(quantity):
        return line
    whole = billed + _rounded(as_number(line.get(DISCOUNT)), decimals.price)
    if _rounded(whole, decimals.price) != whole:  # no line of Zoho's comes to that
        return line
    unit = str(detail.get("InvoiceUnitOfMeasure") or "").strip()
    words = " ".join(part for part in (plain(quantity), unit, "at", plain(price)) if part)
    said = ": ".join(part for part in (words, str(line.get("Description") or "")) if part)
    return {**line, "Quantity": Decimal(1), "List_Price": whole, "Description": said}


def total_of(row: Row, lines: Sequence[Row], decimals: Decimals, offered: Collection[str]) -> Total | None:
    """What makes Zoho's total Sage's; None where Sage says none. `offered` are the fields that are written of it.

    Where releases differ in what a line's amount leaves out, the reading counts under which the document adds up.
    """
    whole = next((as_number(row[name]) for name in _TOTALS if row.get(name) is not None), None)
    if whole is None:
        return None
    subtotal = sum((_net(line, decimals) for line in lines), Decimal(0))
    discount, tax = _parts(row, whole - subtotal)
    rest = whole - subtotal + discount - tax
    separate = discount if DISCOUNT in offered else Decimal(0)
    lacking = whole - subtotal + separate
    parts = [
        *([f"tax {plain(tax)}"] if tax else []),
        *([f"discount {plain(-discount)}"] if discount != separate else []),
        *([f"{plain(rest)} that is on none of its lines in Sage 300"] if rest else []),
    ]
    if ADJUSTMENT in offered:
        note = f"{ADJUSTMENT}: {', '.join(parts)}" if lacking else None
        return Total(whole, whole, separate or None, lacking or None, note)
    note = None
    if lacking:
        note = (
            f"Grand Total lacks {plain(lacking)} of Sage's total {plain(whole)}: {', '.join(parts)}. Zoho gives this "
            f"connection no field {ADJUSTMENT} to put it in"
        )
    return Total(whole, whole - lacking, separate or None, None, note)


def differing(number: str, total: Total, found: Row | None) -> VendorError | None:
    """What a person is told of an invoice that Zoho computes otherwise; None where it agrees, or does not say."""
    if found is None or found.get(GRAND_TOTAL) is None or as_number(found[GRAND_TOTAL]) == total.shown:
        return None
    return VendorError(
        system=System.ZOHO_CRM,
        code="INVOICE_TOTAL_DIFFERS",
        text=f"invoice {number} comes to {plain(found[GRAND_TOTAL])} in Zoho, and to {plain(total.whole)} in Sage 300",
        verdict=Verdict.CONFLICT,
        field=GRAND_TOTAL,
        advice="see whether the decimals of Zoho's currency fields, a tax or a rule there make the difference; correct "
        "it there, then dismiss this",
    )


def read(ctx: Context, module: str, ids: Sequence[str]) -> Mapping[str, Row]:
    """What Zoho makes of these invoices; nothing where it cannot be asked now."""
    if not ids or GRAND_TOTAL not in fields_of(ctx, module):
        return {}
    try:
        rows = ctx.zoho.get_many(module, ids, fields=[GRAND_TOTAL])
    except VendorError as error:
        if error.verdict is Verdict.FATAL:
            raise
        return {}
    return {str(row["id"]): row for row in rows}


def plain(amount: object) -> str:
    """An amount as people write it: neither zeros behind it nor an exponent."""
    text = f"{as_number(amount):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parts(row: Row, beyond_lines: Decimal) -> tuple[Decimal, Decimal]:
    """Header discount and tax that stand beside the lines: as the document adds up, else as it says."""
    discount = as_number(row.get("InvoiceDiscountAmount"))
    excluded = row.get("InvoiceExcludedTaxTotAmount")
    taxes = [as_number(excluded)] if excluded is not None else [as_number(row.get(name)) for name in _TAXES]
    for off in (discount, Decimal(0)):
        for tax in (*taxes, *([] if excluded is not None else [Decimal(0)])):
            if tax - off == beyond_lines:
                return off, tax
    return discount, taxes[0]


def _net(line: Row, decimals: Decimals) -> Decimal:
    """What Zoho makes of a line."""
    with localcontext(prec=_DIGITS):
        quantity = _rounded(as_number(line.get("Quantity")), decimals.quantity)
        gross = quantity * _rounded(as_number(line.get("List_Price")), decimals.price)
        return _rounded(gross, decimals.price) - _rounded(as_number(line.get(DISCOUNT)), decimals.price)


def _rounded(amount: Decimal, decimals: int | None) -> Decimal:
    if decimals is None:
        return amount
    with localcontext(prec=_DIGITS):
        return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
