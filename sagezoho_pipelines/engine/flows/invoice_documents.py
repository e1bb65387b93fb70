"""One invoice on its way: as Sage has it, as Zoho should have it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.digest import digest
from sagezoho_pipelines.domain.mapping import TargetMapping
from sagezoho_pipelines.domain.records import Authority, Change, Link, Row
from sagezoho_pipelines.domain.settlement import Intent
from sagezoho_pipelines.engine import settling, zoho_modules
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows import invoice_totals, products
from sagezoho_pipelines.engine.flows.invoice_totals import Total
from sagezoho_pipelines.engine.settling import Movement
from sagezoho_pipelines.engine.zoho_write import ZohoWrite

FLOW = "invoices"
ENTITY_SET = "OE/OEInvoices"
KEY_FIELD = "Sage_Invoice_Key"
LINES = "Invoiced_Items"
#: What tells one version of a posted invoice from another, and whose it is; the rest is read when it is delivered.
HEADER = ("InvoiceNumber", "OrderNumber", "CustomerNumber", "InvoiceDate", "InvoiceTotalWithTax", "TotalTaxAmount")
#: Whether an invoice bills several shipments: its lines name their orders, and nobody documents what its header does.
SEVERAL = "GenerateFromMultipleShipments"
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Document:
    """One invoice on its way: as Sage has it, as Zoho should have it. `made` are the products made for it.

    `total` is what Zoho should make of it; None where Sage does not say, or the mapping has a word of its own.
    """

    change: Change
    row: Row
    order: Link
    lines: Sequence[Row]
    write: ZohoWrite
    links: Sequence[Link]
    total: Total | None = None
    made: Sequence[Movement] = ()
    intent: Intent | None = None


def document_of(ctx: Context, key: str, row: Row, order: Link | None, payment: Row) -> Row:
    """What the mapping of an invoice sees; `order` is the link of the order that it bills."""
    billed = {"OrderNumber": order.sage_id} if order is not None and row.get(SEVERAL) else {}
    return {
        **row,
        **billed,
        "key": ctx.sage_key(key),
        "account": {"id": order.details.get("account") if order is not None else None},
        "deal": {"id": order.zoho_id or None if order is not None else None},
        "payment": payment,
    }


def read(ctx: Context, changes: Sequence[Change]) -> dict[str, Row]:
    """The invoices themselves: service invoices come with their change, order-entry invoices are read now."""
    rows = {change.key: change.payload for change in changes if change.payload is not None}
    looks = [change.key for change in changes if change.payload is None]
    if looks:
        mapping = ctx.mappings[FLOW]
        columns = {*mapping.source_fields("invoices"), *HEADER, *invoice_totals.COLUMNS, SEVERAL, "InvoiceDetails"}
        for row in ctx.sage.find(ENTITY_SET, where=[where("InvoiceNumber", "in", looks)], select=sorted(columns)):
            rows[str(row["InvoiceNumber"]).strip()] = row
    return rows


def orders_of(ctx: Context, rows: Sequence[Row]) -> list[Link | None]:
    """For each invoice the order of ours that it bills: the one in its header, or the first that its lines name."""
    named = [order_numbers(row) for row in rows]
    every = sorted({number for numbers in named for number in numbers})
    links = ctx.ledger.links_by_sage(ctx.connection, "orders", "Deals", every) if every else {}
    return [next((links[number] for number in numbers if number in links), None) for numbers in named]


def as_in_zoho(ctx: Context, orders: Sequence[Link]) -> dict[str, Link]:
    """By order number the links, with the deal and the account that Zoho has of them now.

    Deals are deleted, and accounts merged into others, while Sage goes on billing. A deal that people give to another
    account changes nobody's bill: only where the account is gone, that of the deal counts, or else the customer's.
    """
    deals = _in_zoho(ctx, "Deals", (order.zoho_id for order in orders))
    there = _in_zoho(ctx, "Accounts", (str(order.details.get("account") or "") for order in orders))
    lost = [order for order in orders if order.details.get("account") not in there]
    numbers = sorted({str(order.details.get("customer") or "") for order in lost} - {""})
    customers = ctx.ledger.links_by_sage(ctx.connection, "customers", "Accounts", numbers) if numbers else {}
    found = {order.sage_id: order for order in orders}
    for order in lost:
        now = (deals.get(order.zoho_id, {}).get("Account_Name") or {}).get("id")
        customer = customers.get(str(order.details.get("customer") or ""))
        account = now or (customer.zoho_id if customer is not None else None) or order.details.get("account")
        found[order.sage_id] = replace(order, details={**order.details, "account": account})
    return {number: order if order.zoho_id in deals else replace(order, zoho_id="") for number, order in found.items()}


def _in_zoho(ctx: Context, module: str, ids: Iterable[str]) -> dict[str, Row]:
    """Those of the records that exist, with their account."""
    asked = sorted(set(ids) - {""})
    rows = ctx.zoho.get_many(module, asked, fields=["Account_Name"]) if asked else ()
    return {str(row["id"]): row for row in rows}


def order_numbers(row: Row) -> list[str]:
    naming = [row, *(row.get("InvoiceDetails") or ())] if row.get(SEVERAL) else [row]
    return list(filter(None, dict.fromkeys(str(one.get("OrderNumber") or "").strip() for one in naming)))


def seen(change: Change, row: Row) -> Change:
    """An order-entry invoice keeps the digest of its header; a service invoice that of its whole entry."""
    return replace(change, digest=change.digest or digest(row, HEADER), name=number_of(row))


def link_of(ctx: Context, document: Document) -> Link:
    return Link(
        connection=ctx.connection,
        sage_entity="invoices",
        sage_id=document.change.key,
        zoho_entity="Invoices",
        zoho_id="",
        sage_name=number_of(document.row),
        zoho_name=str(document.write.after.get("Subject") or ""),
        authority=Authority.SAGE300,
        source_digest=document.change.digest,
        seen_equal_at=ctx.clock(),
        details={
            "number": number_of(document.row),
            "order": document.order.sage_id,
            "customer": customer_of(document.row),
        },
    )


def with_total(ctx: Context, source: Row, target: TargetMapping, lines: Sequence[Row]) -> tuple[Row, Total | None]:
    """The document with what makes Zoho's total Sage's, as far as the mapping writes it and Zoho has the fields."""
    offered = {rule.target for rule in target.rules} - zoho_modules.absent_fields(ctx, "Invoices")
    total = invoice_totals.total_of(source, lines, invoice_totals.decimals_of(ctx, LINES), offered)
    return {**source, "total": total.as_row() if total is not None else {}}, total


def line_mapping(ctx: Context, row: Row) -> TargetMapping:
    return ctx.mappings[FLOW]["ar_invoice_lines" if is_ar(row) else "invoice_lines"]


def is_ar(row: Row) -> bool:
    return "DocumentNumber" in row


def number_of(row: Row) -> str:
    return str(row.get("DocumentNumber") or row.get("InvoiceNumber") or "").strip()


def customer_of(row: Row) -> str:
    return str(row.get("CustomerNumber") or "").strip()


def customer_and_number(row: Row) -> tuple[str, str]:
    return customer_of(row), number_of(row)


def _code(detail: Row) -> str:
    """What a line sells, as a product code: item, miscellaneous charge, or distribution code."""
    for name in ("Item", "ItemNumber", "MiscellaneousChargesCode", "DistributionCode"):
        code = str(detail.get(name) or "").strip()
        if code:
            return code
    return "SERVICE"


def product_lines(row: Row) -> list[tuple[str, Any]]:
    return [(_code(detail), detail.get("Description")) for detail in row.get("InvoiceDetails") or ()]


def of_lines(row: Row, known: dict[str, Found], *, take: bool = False) -> list[Found]:
    """What is known of the products that an invoice names; `take` leaves nothing of it for the next invoice."""
    codes = [code for code in dict.fromkeys(code for code, _ in product_lines(row)) if code in known]
    return [known.pop(code) if take else known[code] for code in codes]


def lines_of(ctx: Context, row: Row, items: products.Products) -> list[Row]:
    lines = [line_of(ctx, row, detail, items.of(_code(detail))) for detail in row.get("InvoiceDetails") or ()]
    if not lines:
        raise settling.refusal("NO_LINES", f"invoice {number_of(row)} has no lines", advice="look at it in Sage")
    return lines


def line_of(ctx: Context, row: Row, detail: Row, product: str | None) -> Row:
    """A line as Zoho gets it: what the mapping makes of Sage's, in figures that Zoho can add up to the same."""
    mapped = line_mapping(ctx, row).apply({**detail, "product": {"id": product}, "invoice": row})
    line = invoice_totals.adding_up(mapped, detail, invoice_totals.decimals_of(ctx, LINES))
    return {name: value for name, value in line.items() if value is not None}
