"""What a COQL condition means for a column: its literals checked against the type, its operator as a test."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field
from sagezoho_pipelines.sandbox.zoho_crm.coql_parse import Literal, Quoted
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError
from sagezoho_pipelines.sandbox.zoho_crm.table import Row
from sagezoho_pipelines.sandbox.zoho_crm.values import is_date, parse_id, parse_instant

Test = Callable[[Row], bool]


def invalid_query(reason: str, **details: Any) -> ApiError:
    return ApiError(400, "INVALID_QUERY", "invalid query formed", {"reason": reason, **details})


def literal(field: Field, given: Literal, column: str) -> Any:
    """The stored form of a literal for that column; INVALID_QUERY when the types do not meet."""
    kind = field.data_type
    fit: Any = None
    if kind == "boolean":
        # Booleans are quoted: 'true'.
        fit = {"true": True, "false": False}.get(given.text) if isinstance(given, Quoted) else None
    elif kind in ("bigint", "lookup", "ownerlookup"):
        fit = parse_id(_text(given)) if _text(given) != "0" else 0
    elif field.is_number:
        fit = given if isinstance(given, Decimal) else None
    elif kind == "date":
        fit = given.text if isinstance(given, Quoted) and is_date(given.text) else None
    elif kind == "datetime":
        fit = parse_instant(given.text) if isinstance(given, Quoted) else None
    elif field.is_text:
        fit = given.text if isinstance(given, Quoted) else None
    if fit is None:
        raise invalid_query("invalid data type", column_name=column, expected_data_type=kind)
    return fit


def _text(given: Literal) -> str:
    return given.text if isinstance(given, Quoted) else str(given)


def text_test(operator: str, values: list[str], value: Callable[[Row], Any]) -> Test:
    folded = {one.casefold() for one in values}
    if operator in ("=", "in"):
        return lambda row: str(value(row) or "").casefold() in folded and value(row) is not None
    if operator in ("!=", "not in"):
        return lambda row: str(value(row) or "").casefold() not in folded
    if operator == "is null":
        return lambda row: value(row) is None
    if operator == "is not null":
        return lambda row: value(row) is not None
    pattern = re.compile(".*".join(re.escape(part) for part in values[0].split("%")), re.IGNORECASE | re.DOTALL)
    wanted = operator == "like"
    return lambda row: value(row) is not None and (pattern.fullmatch(value(row)) is not None) is wanted


def plain_test(operator: str, values: list[Any], value: Callable[[Row], Any], *, number: bool) -> Test:
    def read(row: Row) -> Any:
        held = value(row)
        return int(held) if number and held is not None else held

    if operator == "is null":
        return lambda row: read(row) is None
    if operator == "is not null":
        return lambda row: read(row) is not None
    if operator in ("=", "in"):
        return lambda row: read(row) in values
    if operator in ("!=", "not in"):
        return lambda row: read(row) not in values
    first, last = values[0], values[-1]

    def compared(row: Row) -> bool:
        held = read(row)
        if held is None:
            return False
        if operator == "between":
            return bool(first <= held <= last)
        if operator == "<":
            return bool(held < first)
        if operator == "<=":
            return bool(held <= first)
        return bool(held > first) if operator == ">" else bool(held >= first)

    return compared
