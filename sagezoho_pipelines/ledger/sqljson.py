"""Values on their way into statements: into JSON columns, whole batches as one JSON parameter, and whose row it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.records import EntityRef

# An escaped NUL that is really one: an even number of backslashes stands before its own.
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def to_json(value: Any) -> str:
    """JSON text that Postgres takes whatever a vendor sent: NUL and lone surrogates become U+FFFD.

    One such character would otherwise fail the whole page that its record is in.
    """
    encoded = json.dumps(value)
    if "\\u0000" in encoded:
        encoded = _NUL.sub(r"\1\\ufffd", encoded)
    return encoded if encoded.isascii() else clean(encoded)


def clean(value: str) -> str:
    """Text that Postgres takes."""
    if value.isascii() and "\x00" not in value:
        return value
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def rows(columns: Mapping[str, str]) -> str:
    """The SQL of a set of rows with these columns and types, given as `to_json` of a list of dicts in `:rows`.

    An array for each column costs the driver a quoting and the server a constant to parse for every single value.
    """
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"json_to_recordset(CAST(:rows AS json)) AS r ({listed})"


def whose(entity: EntityRef) -> dict[str, str]:
    """The three columns that say whose row it is."""
    return {"connection": entity.connection, "system": str(entity.system), "entity": entity.entity}
