"""Optional fields: what the company has set up, and the rows in which records carry them.

A row is written with its code and either `Value`, as text, or the value column of its type; it is read with both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.schema import RecordType, Row

TYPES = ("Text", "Amount", "Number", "Integer", "YesNo", "Date", "Time")
_DECIMALS = 3


@dataclass(frozen=True)
class OptionalField:
    """One optional field as Common Services has it. `values` are the only ones taken, when there are any."""

    code: str
    kind: str = "Text"
    length: int = 60
    description: str = ""
    values: tuple[str, ...] = ()


def standard() -> dict[str, OptionalField]:
    """The optional fields of the simulated company."""
    return {
        one.code: one
        for one in (
            OptionalField("QUANTITY", "Number", description="Quantity on hand elsewhere"),
            OptionalField("REGION", length=20, description="Sales region"),
            OptionalField("UPSZONE", length=10, description="UPS zone"),
            OptionalField("ZOHOID", description="Zoho record id"),
        )
    }


def accepted(known: Mapping[str, OptionalField], kind: RecordType, rows: Sequence[Row]) -> list[Row]:
    """The rows as stored, complete. SageError FieldInvalid for unknown codes and values that do not fit."""
    problems = [
        f"Optional field '{code}' does not exist."
        for row in rows
        if (code := row.get("OptionalField", "")) not in known
    ]
    done: list[Row] = []
    for row in [] if problems else rows:
        try:
            done.append(_completed(known[row["OptionalField"]], kind, row))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise SageError("FieldInvalid", *problems)
    return done


def _completed(setup: OptionalField, kind: RecordType, row: Row) -> Row:
    column = f"{setup.kind}Value"
    given = row["Value"] if "Value" in row else _text(row.get(column))
    value = _typed(setup, given)
    shown: dict[str, Any] = {
        "Value": _text(value),
        column: value,
        "Length": setup.length,
        "Decimals": _DECIMALS if setup.kind in ("Amount", "Number") else 0,
        "AllowBlank": True,
        "Validate": bool(setup.values),
        "ValueSet": "Yes" if given else "No",
        "OptionalFieldDescription": setup.description,
        **{name: setup.kind for name, field in kind.fields.items() if field.members == TYPES},
    }
    return {**row, **{name: one for name, one in shown.items() if name in kind.fields}}


def _typed(setup: OptionalField, text: str) -> Any:
    misfit = ValueError(f"Optional field '{setup.code}'. The value '{text}' is not valid.")
    if setup.values and text and text not in setup.values:
        raise misfit
    try:
        match setup.kind:
            case "Amount" | "Number":
                return Decimal(text or 0).quantize(Decimal(1).scaleb(-_DECIMALS))
            case "Integer":
                return int(text or 0)
            case "YesNo":
                return {"yes": True, "1": True, "no": False, "0": False, "": False}[text.casefold()]
            case "Date":
                return date.fromisoformat(text) if text else None
    except (InvalidOperation, KeyError, ValueError):
        raise misfit from None
    if len(text) > setup.length:
        raise ValueError(f"Optional field '{setup.code}'. Input exceeds the maximum length of {setup.length}.")
    return text


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "Yes" if value else "No"
        case Decimal():
            return f"{value.normalize():f}"
        case date():
            return value.isoformat()
    return str(value)
