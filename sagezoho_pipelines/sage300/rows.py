"""Rows as the server sends them, made fit for comparing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sagezoho_pipelines.domain.records import Row


def clean(row: dict[str, Any]) -> dict[str, Any]:
    """The row in place, without the blanks that pad strings and without `@odata.*` notes."""
    for name in [name for name in row if name.startswith(("@odata.", "odata."))]:
        del row[name]
    _trim(row)
    return row


def project(row: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


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
        elif isinstance(value, dict | list):
            _trim(value)
