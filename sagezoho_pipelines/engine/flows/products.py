"""Products: what invoice lines name must exist in Zoho, found by product code before it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.records import Authority, Link
from sagezoho_pipelines.engine import settling, zoho_target
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.settling import Movement

UNIQUE = "Sage_Item_Key"


@dataclass(frozen=True, slots=True)
class Products:
    """Product ids by code, the links to store with them, why a code has none, and what was made just now."""

    ids: Mapping[str, str]
    links: Sequence[Link]
    errors: Mapping[str, VendorError]
    made: Mapping[str, Movement]

    def of(self, code: str) -> str:
        """The Zoho id. Raises the refusal that Zoho gave when the product could not be made."""
        if code in self.errors:
            raise self.errors[code]
        if code not in self.ids:
            raise settling.refusal("PRODUCT_MISSING", f"no Zoho product for item {code}", field="Product_Name")
        return self.ids[code]


def ensure(ctx: Context, lines: Sequence[tuple[str, Any]]) -> Products:
    """The product of every code: linked, else found by Product_Code, else made by upsert on its unique Sage key."""
    wanted = dict(reversed(lines))
    linked = ctx.ledger.links_by_sage(ctx.connection, "items", "Products", sorted(wanted)) if wanted else {}
    ids = {code: link.zoho_id for code, link in linked.items()}
    missing = [code for code in sorted(wanted) if code not in ids]
    links: list[Link] = []
    errors: dict[str, VendorError] = {}
    made: dict[str, Movement] = {}
    if missing:
        found = ctx.zoho.find(
            "Products", where=[where("Product_Code", "in", missing)], fields=["Product_Code", "Product_Name"]
        )
        for row in sorted(found, key=lambda row: str(row["id"]), reverse=True):
            code = str(row["Product_Code"])
            if code in wanted:
                ids[code] = str(row["id"])
        links += [
            _link(ctx, code, ids[code], str(wanted[code] or ""), "matched by product code")
            for code in missing
            if code in ids
        ]
        _make(ctx, [code for code in missing if code not in ids], wanted, ids, links, errors, made)
    return Products(ids, links, errors, made)


def gone(ctx: Context, codes: Sequence[str]) -> list[Link]:
    """The links of these codes whose product a person has deleted in Zoho since."""
    linked = ctx.ledger.links_by_sage(ctx.connection, "items", "Products", codes)
    ids = sorted(link.zoho_id for link in linked.values())
    there = {str(row["id"]) for row in ctx.zoho.get_many("Products", ids, fields=["Product_Code"])} if ids else set()
    return [linked[code] for code in sorted(linked) if linked[code].zoho_id not in there]


def _make(
    ctx: Context,
    codes: Sequence[str],
    descriptions: Mapping[str, Any],
    ids: dict[str, str],
    links: list[Link],
    errors: dict[str, VendorError],
    made: dict[str, Movement],
) -> None:
    if not codes:
        return
    mapping = ctx.mappings["invoices"]["products"]
    writes = [
        zoho_target.planned(
            "Products",
            mapping,
            None,
            {"ItemNumber": code, "Description": descriptions[code], "key": ctx.sage_key(code)},
        )
        for code in codes
    ]
    for code, write in zip(codes, zoho_target.write(ctx, writes, unique=UNIQUE), strict=True):
        if write.error is not None:
            errors[code] = write.error
        else:
            ids[code] = write.record_id
            made[code] = write.movement()
            links.append(_link(ctx, code, write.record_id, str(descriptions[code] or ""), "created"))


def _link(ctx: Context, code: str, record_id: str, name: str, made_by: str) -> Link:
    return Link(
        connection=ctx.connection,
        sage_entity="items",
        sage_id=code,
        zoho_entity="Products",
        zoho_id=record_id,
        sage_name=name.strip(),
        zoho_name=name.strip(),
        authority=Authority.SAGE300,
        made_by=made_by,
        seen_equal_at=ctx.clock(),
    )
