"""JMESPath that keeps every digit: its own functions know ints and floats only, and a float is no amount of money."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from jmespath import functions
from jmespath.parser import ParsedResult

from sagezoho_pipelines.domain import json

_DECIMAL = Decimal.__name__


class ExactFunctions(functions.Functions):
    """JMESPath's own functions for Decimals too. What else they would give as a float, they give as a Decimal."""

    @functions.signature({"types": []})
    def _func_to_number(self, value: Any) -> Any:
        """An int as it is, any other number or its text exactly; null for what is none."""
        if isinstance(value, bool | list | dict) or value is None:
            return None
        return value if isinstance(value, int) else decimal_of(value)

    @functions.signature({"types": []})
    def _func_to_string(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value)

    @functions.signature({"types": ["array-number"]})
    def _func_avg(self, numbers: Sequence[Any]) -> Decimal | None:
        return sum(numbers, Decimal(0)) / len(numbers) if numbers else None

    @functions.signature({"types": []})
    def _func_type(self, value: Any) -> Any:
        return "number" if isinstance(value, Decimal) else super()._func_type(value)  # type: ignore[misc]

    def _get_allowed_pytypes(self, types: Sequence[str]) -> tuple[Sequence[str], Sequence[tuple[str, ...]]]:
        return _allowed(tuple(types))

    def _convert_to_jmespath_type(self, python_type: str) -> Any:
        return "number" if python_type == _DECIMAL else super()._convert_to_jmespath_type(python_type)  # type: ignore[misc]


def exact(compiled: Any) -> Any:
    """A compiled expression whose literals are Decimals where they were written with a point."""
    return ParsedResult(compiled.expression, _exact(compiled.parsed))


def decimal_of(value: Any) -> Decimal | None:
    """The exact number that a number or a text says; None where there is none."""
    if value is None or isinstance(value, bool) or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _exact(value: Any) -> Any:
    """A syntax tree or a literal in it; a float as Python reads it back is what was written, up to fifteen digits."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _exact(one) for name, one in value.items()}
    return [_exact(one) for one in value] if isinstance(value, list) else value


@cache
def _allowed(types: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Asked for each argument of each function of each field of each record."""
    allowed, inside = functions.Functions()._get_allowed_pytypes(types)  # type: ignore[attr-defined]
    return _with_decimal(allowed), tuple(_with_decimal(one) for one in inside)


def _with_decimal(names: Sequence[str]) -> tuple[str, ...]:
    return (*names, _DECIMAL) if "float" in names else tuple(names)
