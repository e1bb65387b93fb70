"""JSON without losing a digit: numbers with a point are Decimals in both directions."""

from __future__ import annotations

from typing import Any

import simplejson


def loads(text: str | bytes) -> Any:
    return simplejson.loads(text, use_decimal=True)


def dumps(value: Any, *, indent: int | None = None) -> str:
    return simplejson.dumps(value, use_decimal=True, ensure_ascii=False, indent=indent, iterable_as_array=True)
