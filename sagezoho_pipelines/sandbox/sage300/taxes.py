"""Tax of a document line: the authorities of a tax group, their rates, and whether the price includes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.schema import Row, rounded

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

EXEMPT_CLASS = 2


@dataclass(frozen=True)
class Tax:
    """One authority's share of one line; `slot` is its place 1 to 5 in the group."""

    slot: int
    authority: str
    rate: Decimal
    included: bool
    base: Decimal
    amount: Decimal


def line_taxes(world: SageWorld, tax_group: str, net: Decimal, decimals: int, *, exempt: bool) -> list[Tax]:
    """Taxes on a line's amount after discounts; an included tax is taken out of the amount, not added to it."""
    group = world.table("TXTaxGroups").get(tax_group.rstrip(), "Sales") or {}
    taxes = []
    for slot in range(1, 6):
        authority = group.get(f"TaxAuthority{slot}", "")
        if not authority:
            continue
        rate = Decimal(0) if exempt else world.setup.tax_rates[authority]
        included = authority in world.setup.included_authorities
        base = rounded(net * 100 / (100 + rate), decimals) if included else net
        amount = net - base if included else rounded(net * rate / 100, decimals)
        taxes.append(Tax(slot, authority, rate, included, base, amount))
    return taxes


def tax_columns(taxes: Iterable[Tax]) -> Row:
    """The columns a document line holds for its taxes."""
    row: Row = {}
    for tax in taxes:
        row |= {
            f"TaxAuthority{tax.slot}": tax.authority,
            f"TaxClass{tax.slot}": EXEMPT_CLASS if not tax.rate else 1,
            f"TaxIncluded{tax.slot}": tax.included,
            f"TaxBase{tax.slot}": tax.base,
            f"TaxAmount{tax.slot}": tax.amount,
            f"TaxRate{tax.slot}": tax.rate,
        }
    return row


def tax_totals(lines: Iterable[Row]) -> tuple[Row, Decimal, Decimal]:
    """Header columns summed over the lines, the excluded tax and the included tax."""
    header: Row = {}
    sums = {False: Decimal(0), True: Decimal(0)}
    for line in lines:
        for slot in range(1, 6):
            if f"TaxAuthority{slot}" not in line:
                continue
            included, tax = line[f"TaxIncluded{slot}"], line[f"TaxAmount{slot}"]
            name = f"{'Included' if included else 'Excluded'}TaxAmount{slot}"
            header[f"TaxAuthority{slot}"] = line[f"TaxAuthority{slot}"]
            header[f"TaxClass{slot}"] = 1
            header[f"TaxBase{slot}"] = header.get(f"TaxBase{slot}", Decimal(0)) + line[f"TaxBase{slot}"]
            header[name] = header.get(name, Decimal(0)) + tax
            sums[included] += tax
    return header, sums[False], sums[True]
