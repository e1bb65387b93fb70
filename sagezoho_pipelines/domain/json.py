"""JSON without losing a digit: numbers with a point are Decimals in both directions.

A first sync spends its time here, so msgspec does the work; what it will not take (half a surrogate pair, a mapping
that is no dict) goes the slow way through simplejson, which also words the errors.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import simplejson

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_SORTING = msgspec.json.Encoder(decimal_format="number", order="sorted")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def loads(text: str | bytes) -> Any:
    """Raises ValueError for text that is no JSON."""
    try:
        return _DECODER.decode(text)
    except ValueError:
        return simplejson.loads(text, use_decimal=True)


def dumps(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Compact, or indented for people."""
    if indent is None:
        try:
            return (_SORTING if sort_keys else _ENCODER).encode(value).decode()
        except (TypeError, ValueError):
            pass
    return simplejson.dumps(
        value,
        use_decimal=True,
        ensure_ascii=False,
        indent=indent,
        sort_keys=sort_keys,
        separators=(",", ":") if indent is None else None,
        iterable_as_array=True,
    )
