"""The two ends of every mapping target: which fields its expressions read, and which it fills.

The one table that says so; what a flow's handler builds for the mapping is described here, not made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sagezoho_pipelines.domain.metadata import FieldInfo, Kind
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.mappings import needed


class Entity(NamedTuple):
    """An entity set or a module, and within it the rows that are meant: `OrderDetails` of OE/OEOrders."""

    system: System
    name: str
    rows: str = ""

    def __str__(self) -> str:
        return f"{self.name}.{self.rows}" if self.rows else self.name


def _sage(name: str, rows: str = "") -> Entity:
    return Entity(System.SAGE300, name, rows)


def _zoho(name: str) -> Entity:
    return Entity(System.ZOHO_CRM, name)


def _text(name: str, length: int | None = None) -> FieldInfo:
    return FieldInfo(name, "text", Kind.TEXT, length)


def _number(name: str) -> FieldInfo:
    return FieldInfo(name, "number", Kind.NUMBER)


_CUSTOMER = {"number": _text("number", 12)}
_ID = {"id": _text("id", 20)}
_LINE = {
    "type": FieldInfo("type", "text", Kind.CHOICE, values=("Item", "Miscellaneous"), closed=True),
    **{name: _text(name) for name in ("item", "charge", "description", "location")},
    **{name: _number(name) for name in ("quantity", "price", "discount_percent", "amount")},
    "price_override": FieldInfo("price_override", "boolean", Kind.BOOLEAN),
}

ACCOUNTS, CONTACTS, DEALS = _zoho("Accounts"), _zoho("Contacts"), _zoho("Deals")
INVOICES, INVOICE_ROWS, PRODUCTS = _zoho("Invoices"), _zoho("Invoiced_Items"), _zoho("Products")
VENDORS, CUSTOMERS, POSTED = _sage("AP/APVendors"), _sage("AR/ARCustomers"), _sage("AR/ARPostedDocuments")


#: What a name of the document stands for: another entity, fields of our making, or one.
Names = Entity | Mapping[str, FieldInfo] | FieldInfo


@dataclass(frozen=True)
class Ends:
    """`names` are what the document holds besides the source's own fields: another entity, or fields of our making.

    `only_names`: the document holds nothing else. `creates`: records come to be by this target, so what the other
    system demands must be filled, save `filled`, which the engine itself fills.
    """

    flow: str
    target: str
    source: Entity
    into: Entity
    names: Mapping[str, Names] = field(default_factory=dict)
    only_names: bool = False
    creates: bool = True
    filled: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.flow}.{self.target}"

    @property
    def needed(self) -> tuple[str, ...]:
        """Sage fields that a new record cannot do without; Zoho says so of its own fields itself."""
        key = self.flow, self.target
        return (*needed.KEYS.get(key, ()), *needed.FILLED.get(key, ()))

    @property
    def entities(self) -> Iterator[Entity]:
        """Everything that has to be described to understand this target."""
        if not self.only_names:
            yield self.source
        yield self.into
        yield from (one for one in self.names.values() if isinstance(one, Entity))


_KEY = _text("key", 19)
_LINE_NAMES = {"product": _ID}
_TOTAL = {**{name: _number(name) for name in ("discount", "adjustment")}, "note": _text("note", 255)}
_INVOICE_NAMES: Mapping[str, Names] = {
    "key": _text("key", 42), "account": _ID, "deal": _ID, "payment": POSTED, "total": _TOTAL,
}  # fmt: skip

ENDS: tuple[Ends, ...] = (
    Ends("vendors", "accounts", VENDORS, ACCOUNTS, {"key": _KEY}),
    Ends("vendors", "contacts", VENDORS, CONTACTS, {"key": _KEY, "account": _ID}),
    Ends("customers", "customers", ACCOUNTS, CUSTOMERS, {"customer": _CUSTOMER}),
    Ends("orders", "orders", DEALS, _sage("OE/OEOrders"), {"account": ACCOUNTS, "customer": _CUSTOMER}),
    Ends(
        "orders", "order_lines", DEALS, _sage("OE/OEOrders", "OrderDetails"),
        {"account": ACCOUNTS, "customer": _CUSTOMER, "line": _LINE},
    ),
    Ends(
        "invoices", "invoices", _sage("OE/OEInvoices"), INVOICES,
        _INVOICE_NAMES, filled=("Invoiced_Items",),
    ),
    Ends("invoices", "invoice_lines", _sage("OE/OEInvoices", "InvoiceDetails"), INVOICE_ROWS, _LINE_NAMES),
    Ends(
        "invoices", "ar_invoices", _sage("AR/ARInvoiceBatches", "Invoices"), INVOICES,
        _INVOICE_NAMES, filled=("Invoiced_Items",),
    ),
    Ends(
        "invoices", "ar_invoice_lines", _sage("AR/ARInvoiceBatches", "Invoices.InvoiceDetails"), INVOICE_ROWS,
        {**_LINE_NAMES, "invoice": _sage("AR/ARInvoiceBatches", "Invoices")},
    ),
    Ends("invoices", "payments", POSTED, INVOICES, creates=False),
    Ends(
        "invoices", "products", _sage("OE/OEInvoices", "InvoiceDetails"), PRODUCTS,
        {"key": _text("key", 31), "ItemNumber": _text("ItemNumber", 24), "Description": _text("Description", 60)},
        only_names=True,
    ),
    Ends("identity", "vendors", ACCOUNTS, VENDORS, creates=False),
    Ends("identity", "accounts", CUSTOMERS, ACCOUNTS, creates=False),
)  # fmt: skip


def ends_of(ctx: Context) -> list[Ends]:
    """The targets of this connection's enabled flows."""
    return [one for one in ENDS if one.flow in ctx.mappings and _enabled(ctx, one.flow)]


def configured(ctx: Context, ends: Ends) -> Mapping[str, FieldInfo]:
    """The names below `config` for a target: their lengths are those of what sagezoho.yaml says."""
    flows = ctx.settings.flows
    if ends.flow == "customers":
        values = flows.customers.model_dump(include={"group", "terms", "tax_group", "currency"})
    else:
        values = {"location": flows.orders.location}
    return {name: _text(name, len(str(value))) for name, value in values.items()}


def _enabled(ctx: Context, flow: str) -> bool:
    settings = getattr(ctx.settings.flows, flow, None)
    return bool(getattr(settings, "enabled", False))
