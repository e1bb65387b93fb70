"""A mapping tried on one real record: every field's source values, expression and result, and what the target holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jmespath

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import MappingFailed, SagezohoError, VendorError
from sagezoho_pipelines.domain.mapping import FieldRule
from sagezoho_pipelines.domain.records import Link, Row
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows import customer_ground, invoice_documents, payments, vendor_ground
from sagezoho_pipelines.engine.flows.orders import drafts, lines

#: Zoho's ids are long numbers; no Sage number of 12 or 22 characters looks like one.
_ZOHO_ID_DIGITS = 15
_ORDER = "OE/OEOrders"


@dataclass(frozen=True, slots=True)
class TriedField:
    """One target field. `now` is what the target holds; `error` why there is no result."""

    field: str
    sources: Row
    expression: str
    result: Any
    now: Any
    write: str
    place: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One target record. `into` names it, empty where it does not exist yet."""

    flow: str
    target: str
    source: str
    into: str
    fields: Sequence[TriedField]


def try_record(ctx: Context, record_id: str) -> list[Trial]:
    """Everything the mappings make of a record: a Sage number, or a Zoho id. Nothing is written.

    Raises SagezohoError when neither system knows the record, VendorError when one cannot be asked.
    """
    is_zoho = record_id.isdigit() and len(record_id) >= _ZOHO_ID_DIGITS
    trials = list(_from_zoho(ctx, record_id) if is_zoho else _from_sage(ctx, record_id))
    if not trials:
        asked = "account, deal, contact or invoice" if is_zoho else "vendor, customer, order or invoice"
        system = "Zoho CRM" if is_zoho else "Sage 300"
        raise SagezohoError(f"{ctx.connection}: {system} has no {asked} {record_id}. Give a Sage number or a Zoho id.")
    return trials


def _from_sage(ctx: Context, number: str) -> Iterator[Trial]:
    vendor = ctx.sage.get(vendor_ground.ENTITY_SET, number, select=vendor_ground.vendor_fields(ctx))
    if vendor is not None:
        yield from _vendor(ctx, number, vendor)
    if "identity" in ctx.mappings:
        yield from _customer(ctx, number)
    order = ctx.ledger.links_by_sage(ctx.connection, "orders", "Deals", [number]).get(number)
    if order is not None:
        yield from _from_zoho(ctx, order.zoho_id)
    yield from _invoice(ctx, number)


def _from_zoho(ctx: Context, record_id: str) -> Iterator[Trial]:
    account = ctx.zoho.get("Accounts", record_id)
    if account is not None:
        yield from _account(ctx, record_id, account)
        return
    deal = ctx.zoho.get("Deals", record_id)
    if deal is not None:
        yield from _deal(ctx, record_id, deal)
        return
    for module, entity in (("Contacts", "vendors"), ("Invoices", "invoices")):
        link = ctx.ledger.links_by_zoho(ctx.connection, module, entity, [record_id]).get(record_id)
        if link is not None:
            yield from _from_sage(ctx, link.sage_id)


def _vendor(ctx: Context, number: str, vendor: Row) -> Iterator[Trial]:
    name = f"{vendor_ground.ENTITY_SET} {number}"
    held, link = _linked(ctx, "vendors", number, "Accounts")
    yield _trial(ctx, "vendors", "accounts", name, {**vendor, "key": ctx.sage_key(number)}, "Accounts", held)
    account = {"id": link.zoho_id if link is not None else None}
    held, _ = _linked(ctx, "vendors", number, "Contacts")
    document = {**vendor, "key": ctx.sage_key(number), "account": account}
    yield _trial(ctx, "vendors", "contacts", name, document, "Contacts", held)


def _customer(ctx: Context, number: str) -> Iterator[Trial]:
    """What a customer would tell its account, against the stream of the customers flow."""
    target = ctx.mappings["identity"]["accounts"]
    fields = sorted({*(path.split(".")[0] for rule in target.rules for path in rule.sources), "CustomerNumber"})
    row = ctx.sage.get(customer_ground.ENTITY_SET, number, select=fields)
    if row is not None:
        held, _ = _linked(ctx, "customers", number, "Accounts")
        yield _trial(ctx, "identity", "accounts", f"{customer_ground.ENTITY_SET} {number}", row, "Accounts", held)


def _account(ctx: Context, record_id: str, account: Row) -> Iterator[Trial]:
    name = f"Accounts {record_id}"
    link = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "customers", [record_id]).get(record_id)
    held = _sage_row(ctx, "customers", "customers", customer_ground.ENTITY_SET, link)
    document = customer_ground.document_of(ctx, account, link.sage_id if link is not None else "(the next number)")
    into = (customer_ground.ENTITY_SET, link.sage_id if link is not None else "")
    yield _trial(ctx, "customers", "customers", name, document, into[0], held, into[1])
    vendor = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "vendors", [record_id]).get(record_id)
    if vendor is not None and "identity" in ctx.mappings:
        held = _sage_row(ctx, "identity", "vendors", vendor_ground.ENTITY_SET, vendor)
        yield _trial(ctx, "identity", "vendors", name, account, vendor_ground.ENTITY_SET, held, vendor.sage_id)


def _deal(ctx: Context, record_id: str, deal: Row) -> Iterator[Trial]:
    account_id = str((deal.get("Account_Name") or {}).get("id") or "")
    account = ctx.zoho.get("Accounts", account_id) if account_id else None
    links = ctx.ledger.links_by_zoho(ctx.connection, "Accounts", "customers", [account_id]) if account_id else {}
    made = ctx.ledger.links_by_zoho(ctx.connection, "Deals", "orders", [record_id]).get(record_id)
    held = ctx.sage.get(_ORDER, made.details["uniquifier"]) if made is not None else None
    document = drafts.document_of(ctx, deal, account or {}, links.get(account_id))
    number = made.sage_id if made is not None else ""
    yield _trial(ctx, "orders", "orders", f"Deals {record_id}", document, _ORDER, held, number)
    details = list((held or {}).get("OrderDetails") or ())
    for index, line in enumerate(_lines(ctx, record_id, deal)):
        now = details[index] if index < len(details) else None
        name = f"Deals {record_id}, line {index + 1}"
        yield _trial(
            ctx, "orders", "order_lines", name, {**document, "line": line}, f"{_ORDER} OrderDetails", now, number
        )


def _lines(ctx: Context, record_id: str, deal: Row) -> Sequence[Row]:
    quotes = lines.accepted_quotes(ctx, [record_id]).get(record_id, [])
    try:
        return lines.lines_of(ctx, deal, quotes)
    except VendorError:  # a deal without usable lines has a header all the same
        return ()


def _invoice(ctx: Context, number: str) -> Iterator[Trial]:
    found = ctx.sage.find(
        invoice_documents.ENTITY_SET,
        where=[where("InvoiceNumber", "eq", number)],
        select=["InvoiceUniquifier"],
        limit=1,
    )
    row = ctx.sage.get(invoice_documents.ENTITY_SET, found[0]["InvoiceUniquifier"]) if found else None
    if row is None:
        return
    [order] = invoice_documents.orders_of(ctx, [row])
    customer = str(row.get("CustomerNumber") or "").strip()
    payment = payments.state_of(ctx, [(customer, number)]).get((customer, number), {})
    held, _ = _linked(ctx, "invoices", number, "Invoices")
    name = f"{invoice_documents.ENTITY_SET} {number}"
    details = row.get("InvoiceDetails") or ()
    lines = [invoice_documents.line_of(ctx, row, detail, None) for detail in details]
    plain = invoice_documents.document_of(ctx, number, row, order, payment)
    document, _ = invoice_documents.with_total(ctx, plain, ctx.mappings["invoices"]["invoices"], lines)
    yield _trial(ctx, "invoices", "invoices", name, document, "Invoices", held)
    yield _trial(ctx, "invoices", "payments", name, payment, "Invoices", held)
    rows = list((held or {}).get(invoice_documents.LINES) or ())
    for index, detail in enumerate(details):
        now = rows[index] if index < len(rows) else None
        product = {"product": {"id": ((now or {}).get("Product_Name") or {}).get("id")}}
        line = f"{name}, line {index + 1}"
        yield _trial(
            ctx, "invoices", "invoice_lines", line, {**detail, **product}, f"Invoices {invoice_documents.LINES}", now
        )


def _linked(ctx: Context, entity: str, number: str, module: str) -> tuple[Row | None, Link | None]:
    """The Zoho record that is linked to a Sage one, as it is now."""
    link = ctx.ledger.links_by_sage(ctx.connection, entity, module, [number]).get(number)
    return (ctx.zoho.get(module, link.zoho_id) if link is not None else None), link


def _sage_row(ctx: Context, flow: str, target: str, entity_set: str, link: Link | None) -> Row | None:
    if link is None:
        return None
    fields = [rule.target for rule in ctx.mappings[flow][target].rules]
    return ctx.sage.get(entity_set, link.sage_id, select=fields)


def _trial(
    ctx: Context,
    flow: str,
    target: str,
    source: str,
    document: Row,
    into: str,
    held: Row | None,
    record_id: str = "",
) -> Trial:
    identity = record_id or str((held or {}).get("id") or "")
    fields = [_tried(rule, document, held or {}) for rule in ctx.mappings[flow][target].rules]
    return Trial(flow, target, source, f"{into} {identity}".strip() if held is not None else "", fields)


def _tried(rule: FieldRule, document: Row, held: Row) -> TriedField:
    sources = {path: jmespath.search(_quoted(path), document) for path in rule.sources}
    write = "once" if rule.create_only else "always"
    result, error = None, ""
    try:
        result = rule.value(document)
    except MappingFailed as failure:
        error = str(failure)
    return TriedField(rule.target, sources, rule.expression, result, _now(held, rule.target), write, rule.place, error)


def _now(held: Row, field: str) -> Any:
    collection, dot, code = field.partition(".")
    if dot and field not in held:
        rows = held.get(collection)
        return rows.get(code) if isinstance(rows, dict) else None
    return held.get(field)


def _quoted(path: str) -> str:
    return ".".join(f'"{part}"' for part in path.split("."))
