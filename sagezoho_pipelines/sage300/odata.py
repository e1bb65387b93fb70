"""Criteria, keys and options as the text of an OData v4 request. No value can break out of its literal.

Server facts: dates are unquoted ISO 8601, enum members are quoted, `datetime'…'` and the `m` suffix are refused, an
`or` chain over many terms exceeds the server's node limit, and IIS limits the query string to 2048 characters.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import quote

from sagezoho_pipelines.domain.criteria import Condition, Criteria, Scalar
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import System
from sagezoho_pipelines.sage300.entities import NUMERIC_KEYS, key_of

#: One key property, or all of a composite key by name.
Key = str | int | Mapping[str, str | int]

MAX_TERMS = 10
MAX_QUERY = 2000  # IIS lets 2048 characters through, as it is set up at first
_LISTS_ROOM = 1400  # of these, for the values of `in`: the rest is for the other conditions and options

_PROPERTY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_ENTITY_SET = re.compile(r"[A-Z]{2}/[A-Za-z][A-Za-z0-9_]{0,127}", re.ASCII)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
#: ASP.NET refuses < > * % & : \ ? in a path even when encoded, and IIS un-encodes %2F and refuses %2B.
_PLAIN_IN_PATH = re.compile(r"[A-Za-z0-9 ._()'-]*", re.ASCII)


def refuse(code: str, text: str, *, field: str = "") -> VendorError:
    """A request that is never sent, because the server could not understand it."""
    advice = "Nothing was sent to Sage 300: correct the value or the mapping, then retry."
    return VendorError(system=System.SAGE300, code=code, text=text, field=field, verdict=Verdict.REFUSE, advice=advice)


def property_name(name: str) -> str:
    if not _PROPERTY.fullmatch(name):
        raise refuse("InvalidParameters", f"{name!r} is not the name of a Web API property.", field=name)
    return name


def entity_set_name(name: str) -> str:
    if not _ENTITY_SET.fullmatch(name):
        raise refuse("ResourceNotFound", f"{name!r} is not an entity set like 'AP/APVendors'.")
    return name


def literal(value: Scalar | None, *, field: str = "") -> str:
    """One value as an OData literal, not yet URL-encoded."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise refuse("InvalidParameters", f"{value} is not a number that can be compared.", field=field)
        return format(value, "f")
    if isinstance(value, datetime):
        return _instant(value, field)
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    if isinstance(value, str):
        return f"'{_text(value, field).replace(chr(39), chr(39) * 2)}'"
    raise refuse("InvalidParameters", f"a {type(value).__name__} cannot be compared.", field=field)


def filter_text(criteria: Criteria, *, entity_set: str = "") -> str:
    """A conjunction as `$filter`, not yet URL-encoded; empty for no criteria. `in` must be short enough already."""
    numeric = NUMERIC_KEYS.intersection(key_of(entity_set))
    return " and ".join(_comparison(condition, numeric) for condition in criteria)


def split(criteria: Criteria) -> Iterator[list[Condition]]:
    """The same criteria as conjunctions of at most ten comparisons, not too long for IIS; none for no values."""
    wide = [number for number, condition in enumerate(criteria) if condition.operator == "in"]
    share = max(1, (MAX_TERMS - len(criteria) + len(wide)) // max(1, len(wide)))
    room = _LISTS_ROOM // max(1, len(wide))
    choices = [
        [Condition(condition.field, "in", chunk) for chunk in _chunks(condition, share, room)]
        if number in wide
        else [condition]
        for number, condition in enumerate(criteria)
    ]
    for choice in itertools.product(*choices):
        yield list(choice)


def query(options: Mapping[str, str | int]) -> str:
    """System query options, percent-encoded: a space is %20, since `+` is a plus sign to some servers."""
    return "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items() if value != "")


def key_text(entity_set: str, key: Key) -> str:
    """A key in parentheses, not yet URL-encoded: `('1200')`, `(66)`, `(A='x',B=1)`."""
    names = key_of(entity_set)
    if isinstance(key, Mapping):
        if names and set(key) != set(names):
            raise refuse("InvalidEntityKey", f"the key of {entity_set} is {', '.join(names)}.")
        parts = (f"{property_name(name)}={_key_literal(name, part)}" for name, part in key.items())
        return f"({','.join(parts)})"
    if len(names) > 1:
        raise refuse("InvalidEntityKey", f"the key of {entity_set} needs all of {', '.join(names)}.")
    return f"({_key_literal(names[0] if names else '', key)})"


def key_criteria(entity_set: str, key: Key) -> list[Condition] | None:
    """The key as criteria, or None when the names of its properties are not known."""
    if isinstance(key, Mapping):
        return [Condition(name, "eq", part) for name, part in key.items()]
    names = key_of(entity_set)
    return [Condition(names[0], "eq", key)] if len(names) == 1 else None


def fits_in_path(key: str) -> bool:
    """Whether IIS and ASP.NET let this key through in a path."""
    return bool(_PLAIN_IN_PATH.fullmatch(key.replace("=", "").replace(",", ""))) and len(key) <= 160


def _comparison(condition: Condition, numeric: frozenset[str]) -> str:
    name, operator, value = property_name(condition.field), condition.operator, condition.value
    if operator == "is_null":
        return f"{name} eq null"
    if operator == "not_null":
        return f"{name} ne null"
    if operator == "in":
        terms = [f"{name} eq {_operand(name, member, numeric)}" for member in _members(condition)]
        if not 1 <= len(terms) <= MAX_TERMS:
            raise refuse("InvalidParameters", f"{len(terms)} values in one request.", field=name)
        return terms[0] if len(terms) == 1 else f"({' or '.join(terms)})"
    if isinstance(value, Sequence) and not isinstance(value, str):
        raise refuse("InvalidParameters", f"{operator} takes one value.", field=name)
    if operator == "starts_with":
        return f"startswith({name},{literal(value if value is None else str(value), field=name)})"
    return f"{name} {operator} {_operand(name, value, numeric)}"


def _operand(name: str, value: Scalar | None, numeric: frozenset[str]) -> str:
    return _key_literal(name, value) if name in numeric and isinstance(value, str) else literal(value, field=name)


def _key_literal(name: str, value: str | int) -> str:
    if name in NUMERIC_KEYS and isinstance(value, str):
        if not _WHOLE_NUMBER.fullmatch(value.strip()):
            raise refuse("InvalidEntityKey", f"{value!r} is not a whole number.", field=name)
        return str(int(value))
    return literal(value, field=name)


def _members(condition: Condition) -> list[Scalar]:
    value = condition.value
    if value is None or isinstance(value, str) or not isinstance(value, Sequence):
        raise refuse("InvalidParameters", "`in` takes a list of values.", field=condition.field)
    return list(dict.fromkeys(value))


def _chunks(condition: Condition, size: int, room: int) -> Iterator[list[Scalar]]:
    """The members of an `in` in lists of at most `size`, each within `room` characters of the address if it can be."""
    chunk: list[Scalar] = []
    used = 0
    for member in _members(condition):
        term = len(quote(f"{condition.field} eq {literal(member, field=condition.field)} or ", safe=""))
        if chunk and (len(chunk) == size or used + term > room):
            yield chunk
            chunk, used = [], 0
        chunk.append(member)
        used += term
    if chunk:
        yield chunk


def _instant(value: datetime, field: str) -> str:
    if value.tzinfo is None:
        raise refuse("InvalidParameters", f"{value} names no time zone.", field=field)
    whole = value.astimezone(UTC).replace(tzinfo=None)
    return f"{whole.isoformat(timespec='microseconds' if whole.microsecond else 'seconds')}Z"


def _text(value: str, field: str) -> str:
    """The value itself, if it holds nothing but printable text: controls and lone surrogates have no place in a key."""
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise refuse(
                "InvalidParameters", f"the value holds the control character U+{ord(character):04X}.", field=field
            )
    return value
