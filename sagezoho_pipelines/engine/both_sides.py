"""Whether the other side still holds what the ledger says was written there: a sample of links, a few calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.records import Link
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows import invoice_documents, vendor_ground

#: How many links are looked at: ten terms go in one question to Sage, a hundred ids in one to Zoho.
SAMPLE = 50


@dataclass(frozen=True, slots=True)
class Pair:
    """One kind of link, the entity it was written to, and how its records are found there.

    `held` gives, by id on the written side, the key that ties the record to its source; empty where it tells none.
    """

    entity: str
    sage_entity: str
    zoho_entity: str
    held: Callable[[Context, Sequence[Link]], Mapping[str, str]]
    id_of: Callable[[Link], str]
    key_of: Callable[[Context, Link], str]


def _customers(ctx: Context, links: Sequence[Link]) -> Mapping[str, str]:
    asked = where("CustomerNumber", "in", [link.sage_id for link in links])
    rows = ctx.sage.find("AR/ARCustomers", where=[asked], select=["CustomerNumber"])
    return {str(row["CustomerNumber"]).strip(): "" for row in rows}


def _orders(ctx: Context, links: Sequence[Link]) -> Mapping[str, str]:
    asked = where("OrderNumber", "in", [link.sage_id for link in links])
    rows = ctx.sage.find("OE/OEOrders", where=[asked], select=["OrderNumber", "OrderReference"])
    return {str(row["OrderNumber"]).strip(): str(row.get("OrderReference") or "").strip() for row in rows}


def _in_zoho(module: str, field: str) -> Callable[[Context, Sequence[Link]], Mapping[str, str]]:
    def held(ctx: Context, links: Sequence[Link]) -> Mapping[str, str]:
        rows = ctx.zoho.get_many(module, [link.zoho_id for link in links], fields=[field])
        return {str(row["id"]): str(row.get(field) or "") for row in rows}

    return held


def _sage_id(link: Link) -> str:
    return link.sage_id


def _zoho_id(link: Link) -> str:
    return link.zoho_id


def _sage_key(ctx: Context, link: Link) -> str:
    return ctx.sage_key(link.sage_id)


PAIRS: Mapping[str, Pair] = {
    "vendors": Pair(
        "accounts", "vendors", "Accounts", _in_zoho("Accounts", vendor_ground.ACCOUNT_KEY), _zoho_id, _sage_key
    ),
    "customers": Pair("customers", "customers", "Accounts", _customers, _sage_id, lambda _ctx, _link: ""),
    "orders": Pair("orders", "orders", "Deals", _orders, _sage_id, lambda _ctx, link: link.zoho_id),
    "invoices": Pair(
        "invoices", "invoices", "Invoices", _in_zoho("Invoices", invoice_documents.KEY_FIELD), _zoho_id, _sage_key
    ),
}


def astray(ctx: Context, pair: Pair, links: Sequence[Link]) -> dict[str, str]:
    """Of these links, those whose written record is gone, or is tied to another source: source and target -> why.

    Only a record that we made carries our key for certain; one that was matched or linked by hand need only exist.
    """
    if not links:
        return {}
    held = pair.held(ctx, links)
    found = {}
    for link in links:
        record, name = pair.id_of(link), f"{link.sage_entity} {link.sage_id} = {link.zoho_entity} {link.zoho_id}"
        if record not in held:
            found[name] = "no longer there"
        elif link.made_by == "created" and held[record] and held[record] != pair.key_of(ctx, link):
            found[name] = f"carries the key {held[record]}"
    return found


def unlinked_vendors(ctx: Context) -> tuple[int, dict[str, bool]]:
    """How many vendors Sage has, and those without an account that nobody decided to leave without one: whether each
    waits for somebody to say which account is its own."""
    counted, unlinked = 0, dict[str, bool]()
    for rows in ctx.sage.pages(vendor_ground.ENTITY_SET, select=["VendorNumber"]):
        keys = [str(row["VendorNumber"]) for row in rows]
        linked = ctx.ledger.links_by_sage(ctx.connection, "vendors", "Accounts", keys)
        counted += len(keys)
        missing = [key for key in keys if key not in linked]
        alone = ctx.ledger.left_alone(ctx.sage_entity("vendors"), missing) if missing else {}
        unlinked |= {key: key in alone for key in missing if key not in alone or not alone[key].decided}
    return counted, unlinked
