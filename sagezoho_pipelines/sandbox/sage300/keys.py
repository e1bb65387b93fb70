"""Entity keys in the URL: `('1200')`, `(66)`, `(BatchRecordType='CA',BatchNumber=65)`, quotes optional."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.sandbox.sage300.catalog import EntitySet
from sagezoho_pipelines.sandbox.sage300.errors import SageError

Key = tuple[Any, ...]

_NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?")
_PART = re.compile(r"\s*(?:([A-Za-z_]\w*)\s*=\s*)?('(?:[^']|'')*'|[^',()\s=]+)\s*(,|$)")


def parse_key(entity: EntitySet, text: str) -> Key:
    """The key's values in metadata order. Raises SageError InvalidEntityKey."""
    parts: list[tuple[str | None, str]] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            raise _bad(entity, text)
        parts.append((match[1], match[2]))
        at = match.end()
        if match[3] and at == len(text):
            raise _bad(entity, text)
    if len(parts) != len(entity.key):
        raise _bad(entity, text)
    named = {name: value for name, value in parts if name}
    if named and len(named) != len(parts):
        raise _bad(entity, text)
    if named and set(named) != set(entity.key):
        raise _bad(entity, text)
    ordered = [named[name] for name in entity.key] if named else [value for _, value in parts]
    return tuple(_value(entity, name, raw, text) for name, raw in zip(entity.key, ordered, strict=True))


def _value(entity: EntitySet, name: str, raw: str, text: str) -> Any:
    field = entity.type.fields[name]
    quoted = raw.startswith("'")
    plain = raw[1:-1].replace("''", "'") if quoted else raw
    match field.kind:
        case "S":
            return plain.rstrip().upper()
        case "E" if plain in field.members:
            return plain
        case "N" | "I" | "L" if not quoted and _NUMBER.fullmatch(plain):
            return Decimal(plain) if field.kind == "N" else int(Decimal(plain))
        case "D":
            try:
                return date.fromisoformat(plain[:10])
            except ValueError:
                raise _bad(entity, text) from None
    raise _bad(entity, text)


def _bad(entity: EntitySet, text: str) -> SageError:
    wanted = ", ".join(entity.key)
    return SageError("InvalidEntityKey", f"The entity key ({text}) is not valid for {entity.name}: it needs {wanted}.")
