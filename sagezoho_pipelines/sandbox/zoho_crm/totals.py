"""The sums Zoho works out for itself: line totals, document totals, names and expected revenue."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.table import Row
from sagezoho_pipelines.sandbox.zoho_crm.values import plain

COMPUTED = frozenset({"Sub_Total", "Grand_Total", "Tax", "Total", "Total_After_Discount", "Net_Total"})
CENT = Decimal("0.01")


def _number(value: Any) -> Decimal:
    return Decimal(value or 0)


def _money(value: Decimal) -> int | Decimal:
    return plain(value.quantize(CENT, ROUND_HALF_UP))


def compute(module: Module, row: Row) -> None:
    """Fill in what Zoho computes; `row` is still private to its writer."""
    if module.name_field == "Full_Name":
        row["Full_Name"] = " ".join(part for part in (row.get("First_Name"), row.get("Last_Name")) if part)
    if module.api_name == "Deals":
        _deal(module, row)
    lines_field = next((one for one in module.subforms() if one.subform != "Deal_Items"), None)
    if lines_field is None:
        return
    lines: list[Row] = row.get(lines_field.api_name) or []
    for line in lines:
        _line(line)
    sub_total = sum((_number(line["Total_After_Discount"]) for line in lines), Decimal(0))
    tax = sum((_number(line["Tax"]) for line in lines), Decimal(0))
    row["Discount"] = row.get("Discount") or 0
    row["Adjustment"] = row.get("Adjustment") or 0
    row["Sub_Total"] = _money(sub_total)
    row["Tax"] = _money(tax)
    row["Grand_Total"] = _money(sub_total - _number(row["Discount"]) + tax + _number(row["Adjustment"]))


def _line(line: Row) -> None:
    total = _number(line.get("Quantity")) * _number(line.get("List_Price"))
    line["Discount"] = line.get("Discount") or 0
    after = total - _number(line["Discount"])
    taxes = [{**one} for one in line.get("Line_Tax") or []]
    for one in taxes:
        one["value"] = _money(after * _number(one.get("percentage")) / 100)
    line["Line_Tax"] = taxes
    tax = sum((_number(one["value"]) for one in taxes), Decimal(0))
    line["Total"] = _money(total)
    line["Total_After_Discount"] = _money(after)
    line["Tax"] = _money(tax)
    line["Net_Total"] = _money(after + tax)


def _deal(module: Module, row: Row) -> None:
    stage = next((one for one in module.fields["Stage"].picks if one.actual == row.get("Stage")), None)
    if stage is not None and stage.probability is not None and row.get("Probability") is None:
        row["Probability"] = stage.probability
    amount, probability = row.get("Amount"), row.get("Probability")
    expected = None if amount is None else _money(_number(amount) * _number(probability) / 100)
    row["Expected_Revenue"] = expected
