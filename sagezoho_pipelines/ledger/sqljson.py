"""Values on their way into JSON columns."""

from __future__ import annotations

import re
from typing import Any

from sagezoho_pipelines.domain import json

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
    return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
