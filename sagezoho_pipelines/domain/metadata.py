"""What a vendor says of its fields, in one form for both: the basis of lint and of schema drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sagezoho_pipelines.domain.records import Row


class Kind(StrEnum):
    """What a field holds. `record` is a lookup of another record, `rows` a subform, details or optional fields."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    INSTANT = "instant"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    RECORD = "record"
    ROWS = "rows"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field. `type` is the vendor's own word, `length` counts characters, None where the vendor does not say.

    `values` are those of a choice; with `closed` no others are taken. `rows` are the fields of each row.
    """

    name: str
    type: str
    kind: Kind
    length: int | None = None
    values: tuple[str, ...] = ()
    closed: bool = False
    mandatory: bool = False
    read_only: bool = False
    rows: Mapping[str, FieldInfo] = field(default_factory=dict)

    def at(self, path: str) -> FieldInfo | None:
        """The field of a row: `Item` of OrderDetails. A row of optional fields is named by its code, whatever it is."""
        if "OptionalField" in self.rows and path not in self.rows:
            value = self.rows.get("Value")
            return FieldInfo(path, "optional field", Kind.OTHER, value.length if value else None)
        return found(self.rows, path)

    def as_row(self) -> Row:
        """What is remembered of it."""
        facts: dict[str, Any] = {"type": self.type, "kind": str(self.kind)}
        if self.length is not None:
            facts["length"] = self.length
        if self.values:
            facts["values"] = list(self.values)
        facts |= {name: True for name in ("mandatory", "read_only") if getattr(self, name)}
        if self.rows:
            facts["rows"] = {name: info.as_row() for name, info in self.rows.items()}
        return facts


Fields = Mapping[str, FieldInfo]


def found(fields: Fields, path: str) -> FieldInfo | None:
    """The field at a dotted path, e.g. `OrderDetails.Item`; None where there is none."""
    if path in fields:
        return fields[path]
    first, _, rest = path.partition(".")
    info = fields.get(first)
    return info.at(rest) if info is not None and rest else info
