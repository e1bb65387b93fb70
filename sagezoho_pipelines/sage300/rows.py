"""Rows as the server sends them, made fit for comparing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sagezoho_pipelines.domain.records import Row

_ABSENT = object()
#: Where a row of optional fields keeps the value of each type; `Value` holds it as text, and is there always.
_TYPED = {
    "Amount": "AmountValue",
    "Number": "NumberValue",
    "Integer": "IntegerValue",
    "YesNo": "YesNoValue",
    "Date": "DateValue",
}


def clean(row: dict[str, Any]) -> dict[str, Any]:
    """The row in place, without the blanks that pad strings and without `@odata.*` notes.

    Optional fields, which come as rows, become one mapping of code to value: `VendorOptionalFieldValues.REGION`.
    """
    for name in [name for name in row if name.startswith(("@odata.", "odata."))]:
        del row[name]
    _trim(row)
    return row


def project(row: Row, names: Sequence[str]) -> dict[str, Any]:
    """The named properties; `Collection.CODE` names the value of an optional field."""
    return {name: value for name in names if (value := _at(row, name)) is not _ABSENT}


def roots(names: Sequence[str]) -> list[str]:
    """The properties to select for these names: details are selected as a whole."""
    return list(dict.fromkeys(name.partition(".")[0] for name in names))


def folded(body: Row) -> dict[str, Any]:
    """A payload in which `Collection.CODE` has become a row of that collection, as the Web API takes optional fields.

    A row without an UpdateOperation is matched by its code, so it may be sent again; one without a value is blanked.
    """
    sent: dict[str, Any] = {}
    for name, value in body.items():
        collection, dot, code = name.partition(".")
        if dot:
            sent.setdefault(collection, []).append({"OptionalField": code, "Value": _as_text(value)})
        elif isinstance(value, list):
            sent[name] = [folded(one) if isinstance(one, Mapping) else one for one in value]
        else:
            sent[name] = value
    return sent


def inserts_rows(body: Any) -> bool:
    """Whether a payload asks for new detail rows, which a second sending would insert again."""
    if isinstance(body, Mapping):
        return body.get("UpdateOperation") == "Insert" or any(inserts_rows(value) for value in body.values())
    if isinstance(body, Sequence) and not isinstance(body, str):
        return any(inserts_rows(value) for value in body)
    return False


def _trim(container: Any) -> None:
    for place, value in container.items() if isinstance(container, dict) else enumerate(container):
        if isinstance(value, str):
            if value[-1:] == " ":
                container[place] = value.rstrip(" ")
        elif isinstance(value, dict):
            _trim(value)
        elif isinstance(value, list):
            _trim(value)
            if _holds_optional_fields(place, value):
                container[place] = {str(one["OptionalField"]): _value(one) for one in value}


def _holds_optional_fields(place: Any, rows: list[Any]) -> bool:
    if not rows:
        return isinstance(place, str) and "OptionalField" in place
    return isinstance(rows[0], dict) and "OptionalField" in rows[0]


def _value(row: dict[str, Any]) -> Any:
    """An optional field's value by its type; None for a blank one."""
    text = row.get("Value")
    if row.get("ValueSet") == "No" or text in (None, ""):
        return None
    kind = next((value for name, value in row.items() if name.endswith("Type") and value in _TYPED), "")
    if kind in _TYPED and row.get(_TYPED[kind]) is not None:
        return row[_TYPED[kind]]
    return text


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else str(value)


def _at(row: Row, name: str) -> Any:
    collection, dot, code = name.partition(".")
    if not dot:
        return row.get(name, _ABSENT)
    held = row.get(collection)
    return held.get(code) if isinstance(held, Mapping) else _ABSENT
