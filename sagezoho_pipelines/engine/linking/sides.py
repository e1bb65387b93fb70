"""The two sides of a pair, read from the vendors: whether the records are there, and what a link keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.links import PairKind
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.engine import zoho_modules
from sagezoho_pipelines.engine.context import Context

#: Sage answers ten keys in one call, or a page of all: beyond this many the pages are read.
_ONE_BY_ONE = 300


@dataclass(frozen=True, slots=True)
class Side:
    """One record: its name, the Sage key that a Zoho record carries, and what a link keeps in its details."""

    name: str
    key: str = ""
    details: Row = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a Sage record is read, and which of its columns become details of a link."""

    entity_set: str
    key: str
    name: str
    details: Mapping[str, str] = field(default_factory=dict)


_SAGE: Mapping[str, _Source] = {
    "vendors": _Source("AP/APVendors", "VendorNumber", "VendorName"),
    "contacts": _Source("AP/APVendors", "VendorNumber", "VendorName"),
    "customers": _Source("AR/ARCustomers", "CustomerNumber", "CustomerName"),
    "items": _Source("IC/ICItems", "ItemNumber", "Description"),
    "orders": _Source(
        "OE/OEOrders",
        "OrderNumber",
        "OrderDescription",
        {"uniquifier": "OrderUniquifier", "customer": "CustomerNumber", "total": "OrderTotal"},
    ),
    "invoices": _Source(
        "OE/OEInvoices",
        "InvoiceNumber",
        "InvoiceNumber",
        {"number": "InvoiceNumber", "order": "OrderNumber", "customer": "CustomerNumber"},
    ),
}
_POSTED = "AR/ARPostedDocuments"

_ZOHO_NAMES: Mapping[str, str] = {
    "Accounts": "Account_Name",
    "Contacts": "Last_Name",
    "Products": "Product_Name",
    "Deals": "Deal_Name",
    "Invoices": "Subject",
}


def sage_side(ctx: Context, kind: PairKind, ids: Sequence[str]) -> dict[str, Side]:
    """Those of the Sage records that are there, by id. An invoice `CUSTOMER/DOCUMENT` is a service invoice."""
    if not ids:
        return {}
    source = _SAGE[kind.name]
    columns = sorted({source.key, source.name, *source.details.values()})
    plain = {one for one in ids if kind.name != "invoices" or "/" not in one}
    rows = sage_rows(ctx, source.entity_set, source.key, sorted(plain), columns)
    found = {_text(row[source.key]): _sage_record(source, row) for row in rows}
    sides = {one: found[one] for one in plain if one in found}
    return sides | {one: side for one in ids if one not in plain and (side := _service_invoice(ctx, one))}


def sage_rows(ctx: Context, entity_set: str, key: str, ids: Sequence[str], columns: Sequence[str]) -> list[Row]:
    """The rows of these keys; where they are many, of others too."""
    if len(ids) > _ONE_BY_ONE:
        return [row for page in ctx.sage.pages(entity_set, select=columns) for row in page]
    return ctx.sage.find(entity_set, where=[where(key, "in", list(ids))], select=columns) if ids else []


def zoho_side(ctx: Context, kind: PairKind, ids: Sequence[str]) -> dict[str, Side]:
    """Those of the Zoho records that are there, by id."""
    if not ids:
        return {}
    module = kind.zoho_entity
    account = ["Account_Name"] if module == "Deals" else []
    keys = [kind.key_field] if kind.key_field in zoho_modules.known_fields(ctx, module) else []
    rows = ctx.zoho.get_many(module, ids, fields=[_ZOHO_NAMES[module], *keys, *account])
    return {
        str(row["id"]): Side(
            _text(row.get(_ZOHO_NAMES[module])),
            _text(row.get(kind.key_field)) if keys else "",
            {"account": _text((row.get("Account_Name") or {}).get("id"))} if account else {},
        )
        for row in rows
    }


def _sage_record(source: _Source, row: Row) -> Side:
    return Side(_text(row[source.name]), details={name: _text(row.get(at)) for name, at in source.details.items()})


def _service_invoice(ctx: Context, key: str) -> Side | None:
    customer, _, number = key.partition("/")
    tests = [where("CustomerNumber", "eq", customer), where("DocumentNumber", "eq", number)]
    columns = ["CustomerNumber", "DocumentNumber", "OrderNumber"]
    rows = ctx.sage.find(_POSTED, where=tests, select=columns, limit=1)
    if not rows:
        return None
    order = _text(rows[0].get("OrderNumber"))
    return Side(number, details={"number": number, "order": order, "customer": customer})


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
