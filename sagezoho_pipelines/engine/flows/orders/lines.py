"""Where an order's lines come from: an accepted quote, a subform on the deal, or one line for the deal's amount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from sagezoho_pipelines.domain.criteria import where
from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.domain.mapping import as_number
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.engine import settling
from sagezoho_pipelines.engine.context import Context
from sagezoho_pipelines.engine.flows.orders import currencies, quotes

#: Sage keeps a line's discount as a percentage with five decimals.
_PERCENT = Decimal("0.00001")
#: The decimals that Sage's fields of a line have.
_QUANTITY, _PRICE = 4, 6

#: Deals and their quotes are watched. Sales people read this in Zoho, and can retry nothing.
_FOLLOWS = "the order follows by itself"

Line = dict[str, Any]


def accepted_quotes(ctx: Context, deal_ids: Sequence[str]) -> dict[str, list[Row]]:
    """The accepted quotes of each deal, oldest first, with currency and time: deal id -> quotes."""
    orders = ctx.settings.flows.orders
    if not deal_ids or not quotes.are_read(ctx):
        return {}
    rows = ctx.zoho.find(
        "Quotes",
        where=[where("Deal_Name.id", "in", list(deal_ids)), where("Quote_Stage", "in", list(orders.quote_stages))],
        fields=sorted({"Deal_Name", *quotes.fields(ctx), *currencies.of_quotes(ctx)}),
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str((row.get("Deal_Name") or {}).get("id")), []).append(row)
    return found


def lines_of(ctx: Context, deal: Row, accepted: Sequence[Row]) -> list[Line]:
    """The deal's order lines by the first configured strategy that yields any. Refuses a deal that has none."""
    orders = ctx.settings.flows.orders
    for strategy in orders.lines:
        if strategy == "quote":
            lines = _from_quote(ctx, [str(quote["id"]) for quote in accepted])
        elif strategy == "subform":
            lines = _from_subform(ctx, deal)
        else:
            lines = _from_amount(ctx, deal)
        if lines:
            return lines
    raise settling.refusal(
        "NO_LINES",
        "the deal has no accepted quote, no product lines and no amount",
        field="Amount",
        advice=f"fill the deal's Amount, or accept its quote; {_FOLLOWS}",
        system=System.ZOHO_CRM,
    )


def _from_quote(ctx: Context, quote_ids: Sequence[str]) -> list[Line]:
    if not quote_ids:
        return []
    if len(quote_ids) > 1:
        raise settling.refusal(
            "SEVERAL_QUOTES",
            f"the deal has {len(quote_ids)} accepted quotes: {', '.join(quote_ids)}",
            field="Quote_Stage",
            advice=f"leave one of them accepted; {_FOLLOWS}",
            system=System.ZOHO_CRM,
        )
    quote = ctx.zoho.get("Quotes", quote_ids[0]) or {}
    rows = _all_rows(quote, "Quoted_Items")
    for name in ("Discount", "Adjustment"):
        if rows and as_number(quote.get(name)):
            raise settling.refusal(
                "QUOTE_TOTAL",
                f"the accepted quote has {name} {as_number(quote[name])} on its whole; an order has lines only",
                field=name,
                advice=f"spread the {name.lower()} over the lines of quote {quote_ids[0]}; {_FOLLOWS}",
                system=System.ZOHO_CRM,
            )
    return [
        _item_line(
            ctx,
            code=_product_code(ctx, row.get("Product_Name"), number),
            quantity=row.get("Quantity"),
            price=row.get("List_Price"),
            discount=row.get("Discount"),
            description=row.get("Description"),
            number=number,
        )
        for number, row in enumerate(rows, 1)
    ]


def _from_subform(ctx: Context, deal: Row) -> list[Line]:
    subform = ctx.settings.flows.orders.subform
    if subform is None:
        return []
    whole = ctx.zoho.get("Deals", str(deal["id"])) or {}
    lines = []
    for number, row in enumerate(_all_rows(whole, subform.field), 1):
        code = str(row.get(subform.code) or "").strip() if subform.code else ""
        lines.append(
            _item_line(
                ctx,
                code=code or _product_code(ctx, row.get(subform.product), number),
                quantity=row.get(subform.quantity),
                price=row.get(subform.price) if subform.price else None,
                discount=row.get(subform.discount) if subform.discount else None,
                description=row.get(subform.description),
                number=number,
            )
        )
    return lines


def _all_rows(record: Row, field: str) -> list[Row]:
    """The rows of a subform. Refuses where Zoho says that it shows some of them only: an order is whole or none."""
    rows: list[Row] = record.get(field) or []
    if (record.get("$has_more") or {}).get(field):
        raise settling.refusal(
            "LINES_CUT",
            f"Zoho shows only the first {len(rows)} rows of {field}",
            field=field,
            advice=f"split it, and {_FOLLOWS}; or enter the order in Sage 300 and link it with 'sagezoho links add'",
            system=System.ZOHO_CRM,
        )
    return rows


def _from_amount(ctx: Context, deal: Row) -> list[Line]:
    amount = as_number(deal.get("Amount"))
    if amount == 0:
        return []
    if amount < 0:
        raise settling.refusal(
            "AMOUNT_NEGATIVE",
            f"the deal's Amount is {amount:f}: an order takes no money back",
            field="Amount",
            advice=f"correct the Amount, and {_FOLLOWS}; or enter a credit note in Sage 300 and dismiss this",
            system=System.ZOHO_CRM,
        )
    orders = ctx.settings.flows.orders
    description = str(deal.get("Deal_Name") or "")
    if orders.amount.kind == "miscellaneous":
        return [
            {
                "type": "Miscellaneous",
                "charge": orders.amount.code,
                "amount": amount,
                "description": description,
            }
        ]
    return [
        {
            "type": "Item",
            "item": orders.amount.code,
            "location": orders.location,
            "quantity": Decimal(1),
            "price_override": True,
            "price": amount,
            "description": description,
        }
    ]


def _item_line(
    ctx: Context, *, code: str, quantity: Any, price: Any, discount: Any, description: Any, number: int
) -> Line:
    ordered = _fitting(_number(quantity, number, "Quantity"), _QUANTITY, number, "Quantity")
    if ordered <= 0:
        raise _bad_line(
            number, "Quantity", f"the quantity is {ordered}", f"give the line a quantity above zero; {_FOLLOWS}"
        )
    line: Line = {
        "type": "Item",
        "item": code,
        "location": ctx.settings.flows.orders.location,
        "quantity": ordered,
        "description": str(description or "").strip() or None,
    }
    off = _number(discount, number, "Discount")
    if price is None and off:
        raise _bad_line(number, "Discount", f"takes {off} off no price", f"give the line its price; {_FOLLOWS}")
    if price is not None:
        line |= {"price_override": True, "price": _fitting(_number(price, number, "Price"), _PRICE, number, "Price")}
        gross = ordered * line["price"]
        if off < 0 or off > max(gross, Decimal(0)):
            raise _bad_line(
                number, "Discount", f"takes {off:f} off {gross:f}", f"correct price or discount; {_FOLLOWS}"
            )
        if off and gross:
            line |= {"discount": off, "discount_percent": (off * 100 / gross).quantize(_PERCENT)}
    return line


def _number(value: Any, number: int, what: str) -> Decimal:
    """What a line says in figures; a custom subform may hold it as text."""
    try:
        found = as_number(value)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        raise _bad_line(number, what, f"{what} is {value!r}, no number", f"write it in figures alone; {_FOLLOWS}")
    return found


def _fitting(value: Decimal, decimals: int, number: int, what: str) -> Decimal:
    """The value, if Sage can hold it: rounded, it would be another quantity or price than was sold."""
    if value != round(value, decimals):
        text = f"{what} is {value:f}, and Sage keeps {decimals} decimals"
        raise _bad_line(number, what, text, f"give it {decimals} decimals at most; {_FOLLOWS}")
    return value


def _product_code(ctx: Context, product: Any, number: int) -> str:
    """A line's product code is its Sage item number."""
    if not isinstance(product, Mapping):
        raise _bad_line(number, "Product_Name", "names no product", f"choose a product for the line; {_FOLLOWS}")
    code = str(product.get("Product_Code") or "").strip()
    if not code and product.get("id"):
        found = ctx.zoho.get_many("Products", [str(product["id"])], fields=["Product_Code"])
        code = str(found[0].get("Product_Code") or "").strip() if found else ""
    if not code:
        raise _bad_line(
            number,
            "Product_Code",
            f"product {product.get('name') or product.get('id')!r} has no product code",
            "give the product its Sage item number as product code, then retry this",
        )
    return code


def _bad_line(number: int, field: str, text: str, advice: str) -> VendorError:
    return settling.refusal(
        "LINE_INVALID", f"line {number}: {text}", field=field, advice=advice, system=System.ZOHO_CRM
    )
