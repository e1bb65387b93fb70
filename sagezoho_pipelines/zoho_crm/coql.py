"""Conditions as COQL: every literal quoted so that no value can leave it, every name checked.

COQL wants conditions nested in pairs, `((a and b) and c)`, at most 25 of them and 50 values in one `in`.
Source: Zoho's COQL overview and error list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from sagezoho_pipelines.domain.criteria import Condition, Criteria, Scalar
from sagezoho_pipelines.domain.records import Row
from sagezoho_pipelines.zoho_crm.errors import refused_here
from sagezoho_pipelines.zoho_crm.limits import COQL_COLUMNS, COQL_CRITERIA, COQL_IN_VALUES, COQL_ROWS

_NAME = re.compile(r"[A-Za-z$][A-Za-z0-9_$]*(\.[A-Za-z$][A-Za-z0-9_$]*){0,2}\Z")
_MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_COMPARISONS = {"eq": "=", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
T = TypeVar("T")
_ROUNDED_UP = {"lt"}
_PAGING_CRITERIA = 4


def name(field: str) -> str:
    """A field's API name, with dots through lookups, unchanged; anything else is refused."""
    if not _NAME.match(field):
        raise refused_here(f"{field!r} is not the API name of a field.", field=field)
    return field


def module_name(module: str) -> str:
    if not _MODULE.match(module):
        raise refused_here(f"{module!r} is not the API name of a module.", field=module)
    return module


def text(value: str) -> str:
    """A quoted literal. A quote is doubled and a backslash too: whichever of them Zoho takes as the escape character,
    the literal ends where we end it. (A doubled backslash means two where Zoho does not take it as one: the row is then
    not found, never another one.)"""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def instant(value: datetime, *, up: bool = False) -> str:
    """Zoho keeps whole seconds: fractions are cut off, or rounded `up` where cutting would lose a row."""
    if value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    whole = value.astimezone(UTC).replace(microsecond=0)
    if up and value.microsecond:
        whole += timedelta(seconds=1)
    return whole.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def literal(value: Scalar, *, up: bool = False) -> str:
    if isinstance(value, bool):
        return "'true'" if value else "'false'"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, datetime):
        return f"'{instant(value, up=up)}'"
    if isinstance(value, date):
        return f"'{value.isoformat()}'"
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("COQL has no literal for a number that is not finite")
        return format(value, "f")
    return str(value)


def condition(each: Condition) -> str:
    """One condition. `in` takes at most 50 values here: `split_in` makes it so."""
    field, value = name(each.field), each.value
    if each.operator == "is_null":
        return f"{field} is null"
    if each.operator == "not_null":
        return f"{field} is not null"
    if each.operator == "in":
        values = _values(each)
        if not 1 <= len(values) <= COQL_IN_VALUES:
            raise ValueError(f"`in` takes 1 to {COQL_IN_VALUES} values")
        return f"{field} in ({', '.join(literal(item) for item in values)})"
    if value is None or not isinstance(value, (str, int, Decimal, date)):
        raise ValueError(f"{each.operator} compares {each.field} with one value")
    if each.operator == "starts_with":
        return f"{field} like {text(f'{value}%')}"
    return f"{field} {_COMPARISONS[each.operator]} {literal(value, up=each.operator in _ROUNDED_UP)}"


def pair(parts: Iterable[str], word: str = "and") -> str:
    """Nested in pairs from the left, as COQL demands beyond two conditions."""
    joined = ""
    for part in parts:
        joined = f"({joined} {word} {part})" if joined else part
    return joined


def all_of(criteria: Criteria) -> list[str]:
    """Each condition as text; an `in` of more than 50 values becomes several joined by `or`. Room is left for the
    conditions that reading in pages adds."""
    parts: list[str] = []
    count = 0
    for each in criteria:
        if each.operator == "in":
            chunks = list(chunked(_values(each), COQL_IN_VALUES))
            count += len(chunks)
            parts.append(pair([condition(Condition(each.field, "in", chunk)) for chunk in chunks], "or"))
        else:
            count += 1
            parts.append(condition(each))
    if count > COQL_CRITERIA - _PAGING_CRITERIA:
        raise refused_here(f"a query takes at most {COQL_CRITERIA - _PAGING_CRITERIA} conditions; this has {count}.")
    return parts


def split_in(criteria: Criteria) -> Iterator[Criteria]:
    """The same criteria with every `in` cut to 50 values: the union of the parts is the whole."""
    for index, each in enumerate(criteria):
        if each.operator == "in" and len(_values(each)) > COQL_IN_VALUES:
            for chunk in chunked(_values(each), COQL_IN_VALUES):
                yield from split_in([*criteria[:index], Condition(each.field, "in", chunk), *criteria[index + 1 :]])
            return
    yield criteria


def matches_nothing(criteria: Criteria) -> bool:
    """An empty `in` matches no row, and COQL has no way to say so."""
    return any(each.operator == "in" and not _values(each) for each in criteria)


def prefix_matches(row: Row, criteria: Criteria) -> bool:
    """Whether a row really starts as asked: `%` inside the value is a wildcard to Zoho, so it may answer too much."""
    for each in criteria:
        if each.operator == "starts_with" and each.field in row:
            found = str(row[each.field] or "")
            if not found.casefold().startswith(str(each.value).casefold()):
                return False
    return True


def select(columns: Sequence[str], module: str, where: str, order: str, limit: int = COQL_ROWS) -> str:
    listed = ", ".join(dict.fromkeys(name(column) for column in columns))
    return f"select {listed} from {module_name(module)} where {where} order by {order} limit {limit}"


def after(time: datetime, record_id: str) -> str:
    """Rows later than (time, id) in (Modified_Time, id) order."""
    at = f"'{instant(time)}'"
    return f"(Modified_Time > {at} or (Modified_Time = {at} and id > {text(record_id)}))"


def within_second(time: datetime, record_id: str) -> str:
    """Rows of one second with a later id, whatever fraction Zoho may keep and not show."""
    start, end = time, time + timedelta(seconds=1)
    return pair(
        [f"Modified_Time >= '{instant(start)}'", f"Modified_Time < '{instant(end)}'", f"id > {text(record_id)}"]
    )


def chunked(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _values(each: Condition) -> list[Scalar]:
    if each.value is None or isinstance(each.value, (str, int, Decimal, date)):
        raise ValueError(f"`in` compares {each.field} with a sequence")
    return list(each.value)


def after_second(time: datetime) -> str:
    """Rows of later seconds."""
    return f"Modified_Time >= '{instant(time + timedelta(seconds=1))}'"


def split_columns(keys: Sequence[str], fields: Iterable[str]) -> list[list[str]]:
    """Blocks of at most 50 columns; the first has the keys, the others the id, so that they can be put together."""
    wanted = [field for field in dict.fromkeys(fields) if field not in keys]
    room = COQL_COLUMNS - len(keys)
    blocks = [[*keys, *wanted[:room]]]
    blocks += [["id", *chunk] for chunk in chunked(wanted[room:], COQL_COLUMNS - 1)]
    return blocks
