"""The sums Zoho works out for itself: line totals, document totals, names and expected revenue."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Module
from sagezoho_pipelines.sandbox.zoho_crm.table import Row
from sagezoho_pipelines.sandbox.zoho_crm.values import plain

COMPUTED = frozenset({"Sub_Total", "Grand_Total", "Tax", "Total", "Total_After_Discount", "Net_Total"})


def _number(value: Any) -> Decimal:
    return Decimal(value or 0)


def _money(value: Decimal, decimals: int) -> int | Decimal:
    return plain(value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def _decimals(module: Module, name: str) -> int:
    """Sums have the decimals of the field that people type such amounts into."""
    field = module.fields.get(name)
    return 2 if field is None or field.decimal_place is None else field.decimal_place


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
    decimals = _decimals(module, "Adjustment")
    for line in lines:
        _line(line, decimals)
    sub_total = sum((_number(line["Total_After_Discount"]) for line in lines), Decimal(0))
    tax = sum((_number(line["Tax"]) for line in lines), Decimal(0))
    row["Discount"] = row.get("Discount") or 0
    row["Adjustment"] = row.get("Adjustment") or 0
    row["Sub_Total"] = _money(sub_total, decimals)
    row["Tax"] = _money(tax, decimals)
    row["Grand_Total"] = _money(sub_total - _number(row["Discount"]) + tax + _number(row["Adjustment"]), decimals)


def _line(line: Row, decimals: int) -> None:
    total = _number(line.get("Quantity")) * _number(line.get("List_Price"))
    line["Discount"] = line.get("Discount") or 0
    after = total - _number(line["Discount"])
    taxes = [{**one} for one in line.get("Line_Tax") or []]
    for one in taxes:
        one["value"] = _money(after * _number(one.get("percentage")) / 100, decimals)
    line["Line_Tax"] = taxes
    tax = sum((_number(one["value"]) for one in taxes), Decimal(0))
    line["Total"] = _money(total, decimals)
    line["Total_After_Discount"] = _money(after, decimals)
    line["Tax"] = _money(tax, decimals)
    line["Net_Total"] = _money(after + tax, decimals)


def _deal(module: Module, row: Row) -> None:
    stage = next((one for one in module.fields["Stage"].picks if one.actual == row.get("Stage")), None)
    if stage is not None and stage.probability is not None and row.get("Probability") is None:
        row["Probability"] = stage.probability
    amount, probability = row.get("Amount"), row.get("Probability")
    expected = (
        None if amount is None else _money(_number(amount) * _number(probability) / 100, _decimals(module, "Amount"))
    )
    row["Expected_Revenue"] = expected
