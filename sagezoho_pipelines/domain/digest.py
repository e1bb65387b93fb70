"""Stable digests: the same values give the same digest whatever their order, padding or number of zeros."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.records import Row

_LOOKUP = frozenset({"id", "name", "email"})


def canonical(value: Any) -> Any:
    """Numbers without trailing zeros, text without trailing blanks, mappings sorted by the encoder."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Decimal):
        number = Decimal(value)
        if number == number.to_integral_value():
            return int(number)
        return Decimal(format(number.normalize(), "f"))
    if isinstance(value, str):
        return value.rstrip()
    if isinstance(value, Mapping):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    raise TypeError(f"a record holds JSON values only, not {type(value).__name__}")


def canonical_json(value: Any) -> str:
    return json.dumps(canonical(value), sort_keys=True)


def digest(record: Row, fields: Iterable[str] | None = None) -> str:
    """sha256 over the named fields of a record (all, where none are named); a missing field counts as null.

    A lookup counts as its id: a query of Zoho's gives nothing more, a read gives the other record's name as well.
    """
    names = record if fields is None else fields
    chosen = {name: _id_of_lookup(record.get(name)) for name in names}
    return hashlib.sha256(canonical_json(chosen).encode()).hexdigest()


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same thing for a sync: 1.50 is 1.5, blank text is no value."""
    return bool(_blank_is_none(canonical(one)) == _blank_is_none(canonical(other)))


def _id_of_lookup(value: Any) -> Any:
    if isinstance(value, Mapping) and "id" in value and value.keys() <= _LOOKUP:
        return {"id": value["id"]}
    return value


def _blank_is_none(value: Any) -> Any:
    return None if value == "" else value
