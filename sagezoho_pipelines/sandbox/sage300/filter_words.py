"""The words of a `$filter`: its tokens, its literals of time, and how dates compare with them.

A date is `2026-09-15`; an instant needs its zone, `2026-09-15T12:00:00Z` or `…+05:30`, as OData v4 asks.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.schema import Row

Token = tuple[str, str, int]
"""Kind, text, and the position after it."""

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<legacy>datetime'[^']*')
    | (?P<date>\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?(?![\w':+-]))
    | (?P<number>-?\d+(?:\.\d+)?(?P<suffix>[mM])?(?![\w']))
    | (?P<text>'(?:[^']|'')*')
    | (?P<name>[A-Za-z_]\w*(?:/\w+)*(?![\w']))
    | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)


def tokens(text: str, *, legacy: bool) -> list[Token]:
    """The tokens of a filter; `legacy` lets the decimal suffix `m` pass. SageError InvalidParameters for others."""
    found: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise SageError("InvalidParameters", f"Syntax error at position {at} in '{text}'.")
        kind = match.lastgroup or ""
        if match["number"] is not None:
            kind = "number"
            if match["suffix"] and not legacy:
                raise SageError("InvalidParameters", f"Syntax error at position {match.end()} in '{text}'.")
        found.append((kind, match[kind].rstrip("mM") if kind == "number" else match[kind], match.end()))
        at = match.end()
    return found


def instant(text: str) -> tuple[date, bool]:
    """The date of a literal in UTC, and whether it lies after that date's midnight."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise SageError("InvalidParameters", f"Unrecognized literal '{text}'.") from None
    if at.tzinfo is not None:
        at = at.astimezone(UTC)
    return at.date(), (at.hour, at.minute, at.second, at.microsecond) != (0, 0, 0, 0)


def date_test(get: Callable[[Row], Any], op: str, literal: tuple[date, bool]) -> Callable[[Row], bool]:
    """Rows hold midnights, so a literal later in the day falls between two of them."""
    day, later = literal
    if later and op in ("eq", "ne"):
        return lambda _row: op == "ne"
    if later:
        op = {"gt": "gt", "ge": "gt", "lt": "le", "le": "le"}[op]
    test = COMPARE[op]
    if op == "ne":
        return lambda row: get(row) != day
    return lambda row: (value := get(row)) is not None and test(value, day)
