"""Search and count: an index that lags behind the rows, and criteria of its own syntax."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.catalogue import Field, Module
from sagezoho_pipelines.sandbox.zoho_crm.errors import ApiError, invalid_param
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation
from sagezoho_pipelines.sandbox.zoho_crm.reads import PAGE_MAX, Params, positive
from sagezoho_pipelines.sandbox.zoho_crm.show import show_row
from sagezoho_pipelines.sandbox.zoho_crm.table import Row
from sagezoho_pipelines.sandbox.zoho_crm.values import is_date, parse_id, parse_instant

Test = Callable[[Row], bool]
ROWS_MAX = 2_000
CRITERIA_MAX = 10
IN_MAX = 100
_EQUALITY = frozenset({"equals", "not_equal", "in"})
_RANGE = frozenset({"between", "greater_than", "greater_equal", "less_than", "less_equal"})
SPECIAL = re.compile(r"[(),\\]")


def search(org: Organisation, module: Module, params: Params) -> dict[str, Any] | None:
    """One page of matches, newest id first; None when the index knows none."""
    test = matcher(module, params)
    if test is None:
        raise ApiError(
            400,
            "EXPECTED_PARAM_MISSING",
            "one of the expected parameter is missing",
            {"expected_params": ["criteria", "email", "phone", "word"]},
        )
    per_page = positive(params, "per_page", PAGE_MAX, PAGE_MAX)
    page = positive(params, "page", 1)
    if page * per_page > ROWS_MAX:
        raise ApiError(400, "LIMIT_REACHED", "Maximum response iteration limit reached", {"limit": ROWS_MAX})
    names = [name for name in params.get("fields", "").split(",") if name] or None
    found = [row for row in indexed(org, module) if test(row)]
    window = found[(page - 1) * per_page : page * per_page]
    if not window:
        return None
    rows = [show_row(org, module, row, names, whole=False) for row in window]
    more = len(found) > page * per_page
    return {"data": rows, "info": {"per_page": per_page, "count": len(rows), "page": page, "more_records": more}}


def count(org: Organisation, module: Module, params: Params) -> int:
    """How many records the (lagging) count knows."""
    test = matcher(module, params)
    if test is None:
        return len(org.table(module.api_name).rows)
    return sum(1 for row in indexed(org, module) if test(row))


def indexed(org: Organisation, module: Module) -> Iterator[Row]:
    """Rows as the search index has them: a fresh write shows its former self, a fresh insert nothing."""
    table = org.table(module.api_name)
    now = org.now()
    for row_id in reversed(table.ids):
        until, former = table.stale.get(row_id, (0, None))
        if until > now:
            if former is not None:
                yield former
            continue
        yield table.rows[row_id]


def matcher(module: Module, params: Params) -> Test | None:
    """What the first of criteria, email, phone and word asks; None when none is given."""
    if "criteria" in params:
        return _Criteria(module, params["criteria"]).whole()
    for name, kinds in (("email", ("email",)), ("phone", ("phone",)), ("word", ("text", "email", "phone", "website"))):
        if name not in params:
            continue
        text = params[name].casefold()
        if name == "word" and (len(text) < 2 or SPECIAL.search(text)):
            raise invalid_param(
                "word", "The search value contains special characters or does not contain at least two characters"
            )
        searched = [field.api_name for field in module.fields.values() if field.data_type in kinds]
        exact = name != "word"
        return lambda row: any(_found(row.get(one), text, exact=exact) for one in searched)
    return None


def _found(held: Any, text: str, *, exact: bool) -> bool:
    folded = str(held or "").casefold()
    return folded == text if exact else text in folded


def _invalid(**details: Any) -> ApiError:
    return ApiError(400, "INVALID_QUERY", "invalid query formed", details)


class _Criteria:
    """`((Field:operator:value)and(Field:operator:value))`, with `\\` before brackets and commas of a value."""

    def __init__(self, module: Module, text: str) -> None:
        self.module = module
        self.text = text.strip()
        self.at = 0
        self.count = 0

    def whole(self) -> Test:
        test = self.group()
        if self.at < len(self.text):
            test = self.rest(test)
        if self.at != len(self.text) or self.count > CRITERIA_MAX:
            raise _invalid(reason="criteria given seems to be invalid")
        return test

    def group(self) -> Test:
        if not self.text.startswith("(", self.at):
            raise _invalid(reason="criteria given seems to be invalid")
        self.at += 1
        if self.text.startswith("(", self.at):
            test = self.rest(self.group())
        else:
            test = self.condition()
        if not self.text.startswith(")", self.at):
            raise _invalid(reason="criteria given seems to be invalid")
        self.at += 1
        return test

    def rest(self, left: Test) -> Test:
        while True:
            joint = re.match(r"\s*(and|or)\s*(?=\()", self.text[self.at :])
            if joint is None:
                return left
            self.at += joint.end()
            left = _joined(joint.group(1), left, self.group())

    def condition(self) -> Test:
        found = re.match(r"([\w$.]+):(\w+):", self.text[self.at :])
        if found is None:
            raise _invalid(reason="criteria given seems to be invalid")
        self.at += found.end()
        values, piece = [], ""
        while self.at < len(self.text) and self.text[self.at] != ")":
            sign = self.text[self.at]
            if sign == "(":
                raise _invalid(reason="criteria given seems to be invalid")
            if sign == "\\":
                self.at += 1
                sign = self.text[self.at : self.at + 1]
            elif sign == ",":
                values.append(piece)
                piece, sign = "", ""
            piece += sign
            self.at += 1
        values.append(piece)
        self.count += 1
        return self.test(found.group(1), found.group(2), values)

    def test(self, name: str, operator: str, values: list[str]) -> Test:
        field = self.module.fields.get(name) or (Field(0, "id", "Id", "lookup", 19) if name == "id" else None)
        if field is None or operator not in _operators(field):
            raise _invalid(api_name=name, operator=operator)
        fewest, most = {"in": (1, IN_MAX), "between": (2, 2)}.get(operator, (1, 1))
        if not fewest <= len(values) <= most:
            raise _invalid(api_name=name, operator=operator)
        key = "id" if name == "id" else name
        if field.is_text:
            folded = [one.casefold() for one in values]
            return lambda row: _text_matches(operator, str(row.get(key) or "").casefold(), folded)
        read = [None if one in ("null", "${EMPTY}") else _value(field, one) for one in values]
        if operator in _RANGE and None in read:
            raise _invalid(api_name=name, operator=operator)
        return lambda row: _value_matches(operator, _number(field, row.get(key)), read)


def _operators(field: Field) -> frozenset[str]:
    """What a criterion may ask of a field of this type; nothing where the index does not hold it."""
    if field.is_text:
        return _EQUALITY | {"starts_with", "contains"}
    if field.is_number or field.data_type in ("bigint", "date", "datetime"):
        return _EQUALITY | _RANGE
    if field.data_type in ("boolean", "lookup", "ownerlookup"):
        return _EQUALITY
    return frozenset()


def _joined(joint: str, left: Test, right: Test) -> Test:
    if joint == "and":
        return lambda row: left(row) and right(row)
    return lambda row: left(row) or right(row)


def _number(field: Field, held: Any) -> Any:
    return int(held) if field.data_type == "bigint" and held is not None else held


def _value(field: Field, text: str) -> Any:
    kind = field.data_type
    found: Any = None
    if kind == "boolean":
        found = {"true": True, "false": False}.get(text.lower())
    elif kind == "date":
        found = text if is_date(text) else None
    elif kind == "datetime":
        found = parse_instant(text)
    elif kind in ("lookup", "ownerlookup", "bigint"):
        found = parse_id(text)
    else:
        try:
            found = Decimal(text)
        except InvalidOperation:
            found = None
    if found is None:
        raise _invalid(api_name=field.api_name, expected_data_type=kind)
    return found


def _text_matches(operator: str, held: str, values: list[str]) -> bool:
    """`equals` on text is a contains, as the vendor's own is."""
    first = values[0]
    if operator == "not_equal":
        return held != first
    if operator == "in":
        return held in values
    if operator == "starts_with":
        return held.startswith(first)
    if operator in ("equals", "contains"):
        return bool(held) and first in held
    raise _invalid(operator=operator)


def _value_matches(operator: str, held: Any, values: list[Any]) -> bool:
    first, last = values[0], values[-1]
    if operator in ("equals", "in"):
        return held in values
    if operator == "not_equal":
        return bool(held != first)
    if held is None or first is None:
        return False
    if operator == "between":
        return bool(first <= held <= last)
    if operator.startswith("greater"):
        return bool(held > first or (operator == "greater_equal" and held == first))
    if operator.startswith("less"):
        return bool(held < first or (operator == "less_equal" and held == first))
    raise _invalid(operator=operator)
