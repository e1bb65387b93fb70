"""Payloads of POST, PATCH and PUT: read, checked against the record type, and merged into rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import simplejson

from sagezoho_pipelines.sandbox.sage300.catalog import EntitySet
from sagezoho_pipelines.sandbox.sage300.errors import SageError
from sagezoho_pipelines.sandbox.sage300.schema import UPDATE_OPERATIONS, RecordType, Row, record_type

OPERATION = "UpdateOperation"


def read_payload(entity: EntitySet, body: bytes) -> Row:
    """The payload with stored values, in the order sent; nested rows keep their UpdateOperation.

    Raises SageError InvalidPayload for bad JSON, unknown or repeated properties and wrong types; FieldInvalid, one line
    for each, for values that are of the right type and do not fit.
    """
    try:
        given = simplejson.loads(body, use_decimal=True, object_pairs_hook=_once)
    except (ValueError, UnicodeDecodeError):
        raise SageError("InvalidPayload", "The payload is not valid JSON.") from None
    if not isinstance(given, dict):
        raise SageError("InvalidPayload", "The payload must be one record.")
    invalid: list[str] = []
    accepted = _accept(entity, entity.type, given, invalid)
    if invalid:
        raise SageError("FieldInvalid", *invalid)
    return accepted


def _once(pairs: list[tuple[str, Any]]) -> Row:
    """An object of the payload, whose properties the library wants to see no more than once."""
    given = dict(pairs)
    if len(given) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise SageError("InvalidPayload", f"Multiple properties with the name '{twice}' were found in the payload.")
    return given


def _accept(entity: EntitySet, kind: RecordType, given: Mapping[str, Any], invalid: list[str]) -> Row:
    row: Row = {}
    for name, raw in given.items():
        if name.startswith("@odata."):
            continue
        if name == OPERATION:
            if raw not in UPDATE_OPERATIONS:
                raise SageError("InvalidPayload", f"Cannot convert the value of property '{name}'.")
            row[name] = raw
            continue
        field = kind.fields.get(name)
        if field is None:
            raise SageError(
                "InvalidPayload",
                f"The property '{name}' does not exist on type '{_shown(entity, kind)}'. "
                "Make sure to only use property names that are defined by the type.",
            )
        if field.kind == "C":
            if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
                raise SageError("InvalidPayload", f"Cannot convert the value of property '{name}'.")
            row[name] = [_accept(entity, record_type(field.collection), one, invalid) for one in raw]
            continue
        try:
            row[name] = field.accept(raw)
        except SageError as error:
            if error.code != "FieldInvalid":
                raise
            invalid.append(str(error))
    return row


def _shown(entity: EntitySet, kind: RecordType) -> str:
    return entity.clr_type if kind is entity.type else entity.clr_type.rpartition(".")[0] + "." + kind.name


def without_operations(row: Row) -> Row:
    """A copy of the row as it is stored: no UpdateOperation, also in its details."""
    return {
        name: [without_operations(one) for one in value] if isinstance(value, list) else value
        for name, value in row.items()
        if name != OPERATION
    }


def merge_details(existing: list[Row], sent: list[Row], key: str) -> list[Row]:
    """What a PATCH makes of detail rows: each sent row inserts, updates or deletes by its UpdateOperation.

    Unspecified updates the row with that key and inserts when there is none.
    """
    rows = {row.get(key): row for row in existing}
    for row in sent:
        operation = row.get(OPERATION, "Unspecified")
        at = row.get(key)
        known = at in rows
        if operation == "Insert" and known:
            raise SageError("RecordDuplicate", f"A detail with {key} {at} already exists.")
        if operation in ("Update", "Delete") and not known:
            raise SageError("RecordNotFound", "A Record cannot be found for the specified entity key")
        if operation == "Delete":
            del rows[at]
        else:
            rows[at] = {**rows.get(at, {}), **without_operations(row)}
    return list(rows.values())
