"""Values of `sagezoho.yaml` that have a form of their own: cron schedules, time zones, days, addresses, Sage's codes.

They are checked where they are read, since what only Dagster finds wrong keeps the whole code location from loading.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, StringConstraints

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


def _cron(value: str) -> str:
    fields = value.split()
    if len(fields) != len(_FIELDS):
        raise ValueError("a cron schedule has five fields, e.g. '*/15 * * * *'")
    for text, (name, low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            if not _fits(part, low, high, names):
                raise ValueError(f"{part!r} is no {name} of a cron schedule ({low} to {high})")
    return value


def _fits(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    found = _PART.fullmatch(part)
    if found is None or (found["step"] is not None and int(found["step"]) < 1):
        return False
    if found["first"] == "*":
        return found["last"] is None
    ends = [_number(text, low, names) for text in (found["first"], found["last"]) if text is not None]
    known = [end for end in ends if end is not None]
    return len(known) == len(ends) and all(low <= end <= high for end in known) and known == sorted(known)


def _number(text: str, low: int, names: tuple[str, ...]) -> int | None:
    """A number, or the place of a name in `names`, counted from the field's least value."""
    if text.isascii() and text.isdigit():
        return int(text)
    return names.index(text.lower()) + low if text.lower() in names else None


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone; name one like Europe/Berlin, America/Vancouver or UTC") from None
    return value


def _day(value: str) -> str:
    """YYYY-MM-DD, or nothing."""
    if value:
        try:
            if date.fromisoformat(value).isoformat() == value:
                return value
        except ValueError:
            pass
        raise ValueError(f"{value!r} is no date; write YYYY-MM-DD")
    return value


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise ValueError(f"{value!r} is no address; write all of it, like https://erp.example.com/Sage300WebApi")
    return value


def _company(value: str) -> str:
    if not re.fullmatch(r"[A-Z0-9]{1,6}", value):
        raise ValueError(f"{value!r} is no company of Sage 300; write its database id, up to six letters and digits")
    return value


Cron = Annotated[str, AfterValidator(_cron)]
Zone = Annotated[str, AfterValidator(_zone)]
Day = Annotated[str, AfterValidator(_day)]
Url = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_url)]
Company = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True), AfterValidator(_company)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, max_length=12)]
