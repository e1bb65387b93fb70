"""How wide a text is to both vendors, who count as .NET and Java do: in UTF-16 units, an emoji as two."""

from __future__ import annotations


def width(text: str) -> int:
    return len(text) if text.isascii() else len(text) + sum(sign > "\uffff" for sign in text)


def cut(text: str, most: int) -> str:
    """The longest beginning of a text that is at most `most` wide; no sign is halved."""
    short = text[: max(most, 0)]
    while width(short) > most:
        short = short[:-1]
    return short
