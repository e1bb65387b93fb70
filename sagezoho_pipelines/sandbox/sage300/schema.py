"""Record types of the simulated company: every property with its view type, read from `fields/*.csv`.

The type column says: `S12` text of 12, `I` and `L` integers, `N3` decimal with 3 places, `D` date, `B` boolean, `E`
enumeration (members in the third column, the first is the default), `CName` collection of records of that type.
Rows are dicts that hold only what differs from a type's defaults.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sagezoho_pipelines.sandbox.sage300.errors import SageError

Row = dict[str, Any]
UPDATE_OPERATIONS = ("Unspecified", "Insert", "Update", "Delete")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,7})?)?(?:Z|[+-]\d{2}:\d{2}))?")
"""A day, or an instant, which needs its zone as everywhere in OData v4."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WHOLE = {"I": 2**31, "L": 2**63}
"""Beyond these a JSON number is no integer of the service's."""
_FIELD = {"I": 2**15, "L": 2**31}
"""Beyond these an integer does not fit the view's field: an Integer has two bytes, a Long four."""
_PACKED_DIGITS = 19
"""Digits of a ten-byte BCD, the widest a view has."""
_LARGEST_DECIMAL = 2**96 - 1
"""Beyond this a JSON number does not fit the service's decimal at all."""
_FIELDS = Path(__file__).parent / "fields"
_text = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True)
class Field:
    """One property: `kind` is S, I, L, N, D, B, E or C; `size` is the width of S and the places of N."""

    name: str
    kind: str
    size: int = 0
    members: tuple[str, ...] = ()
    collection: str = ""

    @cached_property
    def default(self) -> Any:
        match self.kind:
            case "S":
                return ""
            case "I" | "L":
                return 0
            case "N":
                return Decimal(0)
            case "B":
                return False
            case "E":
                return self.members[0]
            case "C":
                return []
        return None

    @property
    def edm(self) -> str:
        """The primitive type `$metadata` shows."""
        return {
            "S": "Edm.String",
            "I": "Edm.Int32",
            "L": "Edm.Int64",
            "N": "Edm.Decimal",
            "D": "Edm.DateTimeOffset",
            "B": "Edm.Boolean",
        }[self.kind]

    def accept(self, raw: Any) -> Any:
        """A payload's value as it is stored.

        Raises SageError InvalidPayload where the JSON type is wrong, FieldInvalid where the field cannot hold it.
        """
        match self.kind:
            case "S":
                return self._accept_text(raw)
            case "E":
                return self._accept_member(raw)
            case "D":
                return self._accept_date(raw)
            case "B":
                if isinstance(raw, bool):
                    return raw
            case "I" | "L":
                return self._accept_whole(raw)
            case "N":
                return self._accept_decimal(raw)
        raise self._misfit(raw)

    def _accept_whole(self, raw: Any) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or abs(raw) >= _WHOLE[self.kind]:
            raise self._misfit(raw)
        if not -_FIELD[self.kind] <= raw < _FIELD[self.kind]:
            raise SageError("FieldInvalid", f"{words(self.name)}. The number is too large.")
        return raw

    def _accept_decimal(self, raw: Any) -> Decimal:
        """A number of at most as many digits as Sage's packed decimals have, rounded to the field's places."""
        if not isinstance(raw, int | Decimal) or isinstance(raw, bool):
            raise self._misfit(raw)
        number = Decimal(raw)
        if abs(number) > _LARGEST_DECIMAL:
            raise self._misfit(raw)
        if abs(number) >= 10 ** (_PACKED_DIGITS - self.size):
            raise SageError("FieldInvalid", f"{words(self.name)}. The number is too large.")
        return number.quantize(Decimal(1).scaleb(-self.size), ROUND_HALF_UP)

    def _accept_text(self, raw: Any) -> str:
        if raw is None:
            return ""
        if not isinstance(raw, str):
            raise self._misfit(raw)
        if places(raw.rstrip()) > self.size:
            raise SageError("FieldInvalid", f"{words(self.name)}. Input exceeds the maximum length of {self.size}.")
        if _CONTROL.search(raw):
            raise SageError("FieldInvalid", f"{words(self.name)}. Input contains characters that are not valid.")
        return raw.rstrip()

    def _accept_member(self, raw: Any) -> str:
        if isinstance(raw, str):
            if raw in self.members:
                return raw
            # The enumeration parser takes a member's number in quotes, as an official sample sends it.
            if raw.isdigit() and int(raw) < len(self.members):
                return self.members[int(raw)]
        raise self._misfit(raw)

    def _accept_date(self, raw: Any) -> date | None:
        if raw is None:
            return None
        if isinstance(raw, str) and _DATE.fullmatch(raw):
            try:
                at = datetime.fromisoformat(raw)
                return (at.astimezone(UTC) if at.tzinfo else at).date()
            except ValueError:
                pass
        raise self._misfit(raw)

    def _misfit(self, raw: Any) -> SageError:
        shown = json.dumps(raw, default=str, ensure_ascii=False)[:60]
        return SageError("InvalidPayload", f"Cannot convert the value {shown} of property '{self.name}'.")

    def encode(self, value: Any) -> str:
        """The stored value as JSON text."""
        match self.kind:
            case "S" | "E":
                return _text(value)
            case "I" | "L":
                return str(value)
            case "N":
                return self._encode_decimal(value)
            case "D":
                return "null" if value is None else f'"{value.isoformat()}T00:00:00Z"'
            case "B":
                return "true" if value else "false"
        kind = record_type(self.collection)
        return "[" + ",".join(kind.encode(row) for row in value) + "]"

    def _encode_decimal(self, value: Decimal) -> str:
        if not value:
            return f"{Decimal(0):.{self.size}f}"
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class RecordType:
    """A named set of properties; UpdateOperation closes every record and is not listed."""

    name: str
    fields: Mapping[str, Field] = field(hash=False)

    @cached_property
    def defaults(self) -> dict[str, str]:
        return {name: f.encode(f.default) for name, f in self.fields.items()}

    @cached_property
    def collections(self) -> tuple[Field, ...]:
        return tuple(f for f in self.fields.values() if f.kind == "C")

    def get(self, row: Row, name: str) -> Any:
        value = row.get(name)
        return self.fields[name].default if value is None else value

    def encoder(self, select: Iterable[str] | None = None, padded: Iterable[str] = ()) -> Callable[[Row], str]:
        """A function that writes a row as JSON, with only the selected properties when some are given."""
        names = list(self.fields) if select is None else [name for name in select if name != "UpdateOperation"]
        closing = select is None or "UpdateOperation" in set(select)
        widen = set(padded)
        parts: list[tuple[str, Callable[[Any], str], str, str]] = []
        for name in names:
            f = self.fields[name]
            encode: Callable[[Any], str] = _padding(f) if name in widen and f.kind == "S" else f.encode
            if f.kind == "C":
                encode = _nested(f, widen)
            parts.append((name, encode, f'"{name}":', f'"{name}":{self.defaults[name]}'))
        tail = ['"UpdateOperation":"Unspecified"'] if closing else []

        def write(row: Row) -> str:
            pieces = [
                default if (value := row.get(name)) is None else label + encode(value)
                for name, encode, label, default in parts
            ]
            return "{" + ",".join(pieces + tail) + "}"

        return write

    def encode(self, row: Row) -> str:
        return self.encoder()(row)


def _padding(f: Field) -> Callable[[Any], str]:
    return lambda value: _text(value.ljust(f.size) if value else value)


def _nested(f: Field, padded: set[str]) -> Callable[[Any], str]:
    write = record_type(f.collection).encoder(padded=padded)
    return lambda rows: "[" + ",".join(write(row) for row in rows) + "]"


@cache
def record_type(name: str) -> RecordType:
    """The type of that name; its file is `fields/{name}.csv`."""
    fields: dict[str, Field] = {}
    with (_FIELDS / f"{name}.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            kind, rest = row["type"][0], row["type"][1:]
            fields[row["property"]] = Field(
                row["property"],
                kind,
                int(rest) if rest.isdigit() else 0,
                tuple(row["values"].split("|")) if kind == "E" else (),
                rest if kind == "C" else "",
            )
    return RecordType(name, fields)


def words(name: str) -> str:
    """A property's name as the field's title reads: `CustomerNumber` is "Customer Number"."""
    spaced = "".join(f" {c}" if c.isupper() and i and not name[i - 1].isupper() else c for i, c in enumerate(name))
    return spaced.strip()


def places(text: str) -> int:
    """Characters as the service counts them: a sign beyond the first plane of Unicode is two."""
    return len(text) + sum(sign > "\uffff" for sign in text)


def rounded(amount: Decimal, places: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
