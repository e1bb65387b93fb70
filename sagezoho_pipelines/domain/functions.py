"""The named functions a mapping expression may call, besides JMESPath's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from jmespath import functions
from jmespath.exceptions import JMESPathError

from sagezoho_pipelines.domain.exact_numbers import ExactFunctions, decimal_of
from sagezoho_pipelines.domain.value_maps import ValueMap
from sagezoho_pipelines.domain.widths import cut, width

_BLANKS = re.compile(r"\s+")
_BETWEEN_ADDRESSES = re.compile(r"[\s;,]+")


class MappingFunctions(ExactFunctions):
    """Each takes null for "no value" and answers null when there is nothing to say; none raises on a real record.

    `lookup` alone refuses a value that its map does not know, unless the expression gives a default.
    """

    def __init__(self, value_maps: Mapping[str, ValueMap] | None = None) -> None:
        self._value_maps = value_maps or {}

    @functions.signature({"types": []})
    def _func_trim(self, value: Any) -> str | None:
        """Text without blanks at its ends; null when nothing is left."""
        return _text(value) or None

    @functions.signature({"types": []})
    def _func_upper(self, value: Any) -> str | None:
        return _text(value).upper() or None

    @functions.signature({"types": []})
    def _func_lower(self, value: Any) -> str | None:
        return _text(value).lower() or None

    @functions.signature({"types": []}, {"types": ["number"]})
    def _func_shorten(self, value: Any, length: int) -> str | None:
        """The declared rule for text that is too long: cut at `length`, blanks at the cut removed."""
        return cut(_text(value), int(length)).rstrip() or None

    @functions.signature({"types": ["array"]})
    def _func_join_lines(self, values: list[Any]) -> str | None:
        """The texts that are not blank, one a line."""
        return "\n".join(text for text in map(_text, values) if text) or None

    @functions.signature({"types": ["array"]})
    def _func_join_words(self, values: list[Any]) -> str | None:
        """The texts that are not blank, with one space between."""
        return " ".join(text for text in map(_text, values) if text) or None

    @functions.signature({"types": []})
    def _func_first_name(self, value: Any) -> str | None:
        """All words of a person's name but the last; null for a one-word name."""
        words = _BLANKS.split(_text(value))
        return " ".join(words[:-1]) or None

    @functions.signature({"types": []})
    def _func_last_name(self, value: Any) -> str | None:
        """The last word of a person's name; the whole of a one-word name."""
        return _BLANKS.split(_text(value))[-1] or None

    @functions.signature({"types": []})
    def _func_first_address(self, value: Any) -> str | None:
        """The first of several e-mail addresses, as Sage's fields hold them; the whole text where none is in it."""
        text = _text(value)
        return next((one.strip("<>") for one in _BETWEEN_ADDRESSES.split(text) if "@" in one), text) or None

    @functions.signature({"types": []})
    def _func_date(self, value: Any) -> str | None:
        """`YYYY-MM-DD` of a date or an instant as it is written; never shifted by a zone."""
        return _text(value)[:10] or None

    @functions.signature({"types": []})
    def _func_decimal(self, value: Any) -> Decimal | None:
        """An exact number from a number or its text; null when there is none."""
        return decimal_of(value)

    @functions.signature({"types": []})
    def _func_nonzero(self, value: Any) -> Decimal | None:
        """An exact number; null for zero too, which JMESPath's own `||` and `&&` take for a value."""
        return decimal_of(value) or None

    @functions.signature({"types": []}, {"types": []})
    def _func_minus(self, one: Any, other: Any) -> Decimal | None:
        """The exact difference of two numbers; null when either is missing or when nothing is left."""
        first, second = decimal_of(one), decimal_of(other)
        return None if first is None or second is None else (first - second) or None

    @functions.signature({"types": ["array"]}, {"types": []}, {"types": []})
    def _func_if_all(self, values: list[Any], then: Any, otherwise: Any) -> Any:
        """The second value when none of the first list is blank, else the third: parts of one whole, never of two."""
        return then if all(map(_text, values)) else otherwise

    @functions.signature({"types": []}, {"types": ["number"]}, {"types": ["number"]})
    def _func_address_line(self, value: Any, number: int, length: int) -> str | None:
        """Line `number` (from 1) of a multi-line address, wrapped at word ends so that no line passes `length`."""
        wrapped = wrap_address(_text(value), int(length))
        return wrapped[int(number) - 1] if int(number) <= len(wrapped) else None

    @functions.signature({"types": ["string"]}, {"types": [], "variadic": True})
    def _func_lookup(self, name: str, value: Any, *default: Any) -> Any:
        """What the value map `name` has for a value: else the third argument, else NoEntry. Nothing for nothing."""
        text = _text(value)
        if not text:
            return None
        known = self._value_maps[name]
        found = known.find(text)
        if found is None and not default:
            raise NoEntry(f"the value map {name!r} ({known.where}) has no entry for {text!r}")
        return default[0] if found is None else found or None


class NoEntry(JMESPathError):
    """A value map does not know a value of the record."""


def wrap_address(text: str, length: int) -> list[str]:
    """An address as lines of at most `length` characters; nothing is dropped, long words are broken."""
    lines: list[str] = []
    for raw in text.splitlines():
        line = ""
        for word in _BLANKS.split(raw.strip()):
            candidate = f"{line} {word}".strip()
            if width(candidate) <= length:
                line = candidate
                continue
            if line:
                lines.append(line)
            while width(word) > length:
                piece = cut(word, length) or word[:1]
                lines.append(piece)
                word = word[len(piece) :]
            line = word
        if line:
            lines.append(line)
    return lines


def names() -> frozenset[str]:
    """Every function an expression may name."""
    return frozenset(MappingFunctions.FUNCTION_TABLE)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
