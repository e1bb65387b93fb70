"""Refusals that are known before anything is sent, by Zoho's field metadata and by the widths of Sage's columns.

Only what a vendor is sure to refuse is named: Zoho takes a picklist value that its list lacks, for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Row, System
from sagezoho_pipelines.domain.widths import width
from sagezoho_pipelines.engine.planning.writes import is_placeholder
from sagezoho_pipelines.engine.widths import WIDTHS

_TEXTS = frozenset({"text", "textarea", "email", "phone", "website", "picklist"})
_NUMBERS = frozenset({"integer", "double", "currency", "percent"})
#: Looser than Zoho's own patterns: what does not even fit these is refused for sure.
_FORMATS = {
    "email": (re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+"), "not an e-mail address"),
    "phone": (re.compile(r"(?=.*[0-9A-Za-z])[0-9A-Za-z +().,*;-]+"), "not a phone number"),
    "website": (re.compile(r"\S*[^\s.]\.[^\s.]\S*"), "not the address of a web site"),
}
_CORRECT = "correct the value in the source, or let the mapping shorten or drop it"


def of_sage_row(entity_set: str, body: Row) -> VendorError | None:
    """The refusal of a text that is wider than its column."""
    widths = WIDTHS.get(entity_set, {})
    for name, value in _texts(body):
        most, wide = widths.get(name), width(value.rstrip())
        if most is not None and not is_placeholder(value) and wide > most:
            return VendorError(
                system=System.SAGE300,
                code="FieldInvalid",
                text=f"{name} has {wide} characters; Sage takes {most}",
                verdict=Verdict.REFUSE,
                field=name,
                advice=_CORRECT,
            )
    return None


def unknown_code(field: str, title: str, value: str) -> VendorError:
    """The refusal of a code that the company does not have."""
    return VendorError(
        system=System.SAGE300,
        code="FieldInvalid",
        text=f"{title} {value!r} does not exist",
        verdict=Verdict.REFUSE,
        field=field,
        advice="correct the code in the source or in sagezoho.yaml, or set it up in Sage",
    )


def of_zoho_row(row: Row, fields: Sequence[Row], *, creating: bool) -> VendorError | None:
    """The refusal that Zoho's field metadata promises for a row."""
    for field in fields:
        name = str(field.get("api_name"))
        value = row.get(name)
        if is_placeholder(value):
            continue  # what the vendor gives itself fits
        if value in (None, "", []):
            if field.get("system_mandatory") and _is_plain(field) and (creating or name in row):
                return _refused("MANDATORY_NOT_FOUND", name, "required field not found", "fill it in the source")
        else:
            fault = _fault(field, value)
            if fault is not None:
                return _refused("INVALID_DATA", name, f"invalid data: {fault}", _CORRECT)
    return None


def dangling(field: str) -> VendorError:
    """The refusal of a record that points at one which Zoho does not have, or no longer."""
    advice = "restore the record that it points at from Zoho's recycle bin, or link another one"
    return _refused("INVALID_DATA", field, "the id given seems to be invalid", advice)


def duplicate(field: str) -> VendorError:
    """The refusal of a value that another record holds in a unique field."""
    return VendorError(
        system=System.ZOHO_CRM,
        code="DUPLICATE_DATA",
        text="duplicate data",
        verdict=Verdict.CONFLICT,
        field=field,
        advice="another record holds this value in a unique field: link the two, or correct one of them",
    )


def unlisted(row: Row, fields: Sequence[Row]) -> list[tuple[str, str]]:
    """Picklist values that the list lacks: Zoho takes them all the same, and shows them to nobody who chooses."""
    found = []
    for field in fields:
        value = row.get(str(field.get("api_name")))
        listed = {str(one.get("actual_value")) for one in field.get("pick_list_values") or ()}
        if field.get("data_type") == "picklist" and isinstance(value, str) and listed and value not in listed:
            found.append((str(field["api_name"]), value))
    return found


def _texts(body: Row) -> list[tuple[str, str]]:
    found = []
    for name, value in body.items():
        if isinstance(value, str):
            found.append((name, value))
        elif isinstance(value, list | tuple):
            lines = [line for line in value if isinstance(line, Mapping)]
            found += [
                (f"{name}.{inner}", text) for line in lines for inner, text in line.items() if isinstance(text, str)
            ]
    return found


def _is_plain(field: Row) -> bool:
    """Whether a lookup or a subform is needed depends on the layout, which the metadata does not tell."""
    return field.get("data_type") in _TEXTS | _NUMBERS | {"date", "datetime"}


def _fault(field: Row, value: Any) -> str | None:
    kind, length = str(field.get("data_type")), field.get("length")
    if kind in _TEXTS:
        if not isinstance(value, str):
            return "text expected"
        text = value.strip()
        if isinstance(length, int) and width(text) > length:
            return f"{width(text)} characters, at most {length} are allowed"
        pattern, fault = _FORMATS.get(kind, (None, None))
        return fault if text and pattern is not None and not pattern.fullmatch(text) else None
    if kind in _NUMBERS:
        return _number_fault(kind, length, value)
    if kind == "boolean":
        return None if isinstance(value, bool) else "true or false expected"
    return None if kind != "date" or _is_date(value) else "a date, YYYY-MM-DD, expected"


def _number_fault(kind: str, length: Any, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return "number expected"
    if kind == "integer" and value != int(value):
        return "whole number expected"
    return f"more than {length} digits" if isinstance(length, int) and abs(value) >= 10**length else None


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(value) == 10 and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _refused(code: str, field: str, text: str, advice: str) -> VendorError:
    return VendorError(system=System.ZOHO_CRM, code=code, text=text, verdict=Verdict.REFUSE, field=field, advice=advice)
