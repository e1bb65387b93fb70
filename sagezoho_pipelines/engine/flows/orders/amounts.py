"""What an order comes to in Sage, held against what was asked for: Sage computes, and prices by units of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.mapping import as_number
from sagezoho_pipelines.domain.records import Row, System

#: Before tax, and with it where prices include the tax.
_TOTALS = ("OrderTotalBeforeTax", "OrderSubtotalAmount", "OrderTotal")


def differing(order: Row, sent: Row, asked: Sequence[Row], unit: Callable[[], Decimal]) -> VendorError | None:
    """What a person is told of an order that Sage answered with and that comes to something else; None where it fits.

    `asked` are the lines as the deal has them, `unit` tells the least amount of the order's currency. Where Sage's
    document says one of the figures, whichever of its names for it this release fills, it fits. Lines that were left
    to Sage's own price list cannot be held against anything.
    """
    lines: Sequence[Row] = sent["OrderDetails"]
    full, by_percentages = gross_of(lines), net(lines)
    told = [as_number(order[name]) for name in _TOTALS if order.get(name) is not None]
    details: Sequence[Row] = order.get("OrderDetails") or ()
    if not told or not details or full is None or by_percentages is None:
        return None
    lost = sum((_lost(one, line) for one, line in zip(asked, lines, strict=True)), Decimal(0))
    wanted = by_percentages - lost
    if wanted in told:
        return None
    extended = sum((as_number(line.get("ExtendedAmount")) for line in details), Decimal(0))
    least = unit()
    room = least * len(lines)
    as_sold = abs(extended - full) <= room and abs(lost) <= room
    if as_sold or any(abs(one - wanted) <= room for one in (*told, extended)):
        return None
    number = str(order["OrderNumber"]).strip()
    return VendorError(
        system=System.SAGE300,
        code="ORDER_AMOUNT_DIFFERS",
        text=f"order {number} comes to {told[0]:f} before tax in Sage 300, and to {wanted.quantize(least):f} in Zoho",
        verdict=Verdict.CONFLICT,
        advice=f"correct order {number} in Sage 300, then dismiss this; see whether its items are priced by another "
        "unit than they are sold in, its customer has a discount of its own, or a discount is finer than the five "
        "decimals of Sage's percentages",
        details={"order": number},
    )


def gross_of(lines: Sequence[Row]) -> Decimal | None:
    """What an order's lines come to before their discounts; None where Sage sets a price."""
    found = [_amount(line) for line in lines]
    known = [one for one in found if one is not None]
    return sum(known, Decimal(0)) if len(known) == len(found) else None


def net(lines: Sequence[Row]) -> Decimal | None:
    """What an order's lines come to; None where Sage sets a price."""
    gross = gross_of(lines)
    if gross is None:
        return None
    off = ((_amount(line) or 0) * as_number(line.get("DiscountPercent")) / 100 for line in lines)
    return gross - sum(off, Decimal(0))


def _lost(asked: Row, line: Row) -> Decimal:
    """What a line's discount loses as a percentage, where the line is the deal's: Sage's have five decimals only."""
    names = {"quantity": "QuantityOrdered", "price": "PricingUnitPrice", "discount_percent": "DiscountPercent"}
    if asked.get("discount") is None or any(asked.get(name) != line.get(field) for name, field in names.items()):
        return Decimal(0)
    return as_number(asked["discount"]) - (_amount(line) or 0) * as_number(line.get("DiscountPercent")) / 100


def _amount(line: Row) -> Decimal | None:
    """Before its discount; None where Sage sets the price."""
    if line.get("ExtendedAmount") is not None:
        return as_number(line["ExtendedAmount"])
    if line.get("PricingUnitPrice") is None or line.get("QuantityOrdered") is None:
        return None
    return as_number(line["QuantityOrdered"]) * as_number(line["PricingUnitPrice"])
