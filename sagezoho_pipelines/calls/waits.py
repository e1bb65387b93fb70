"""The clock that calls are timed by, and how long to wait before one is sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

#: Seconds. A Retry-After beyond this is no word to go by.
_DAY: Final = 86400.0


def utc_now() -> datetime:
    return datetime.now(UTC)


def backoff(attempt: int, random: Callable[[], float], *, first: float, longest: float) -> float:
    """Seconds after attempt number `attempt`: doubling from `first`, capped, then jittered down to no less than half.

    `random` gives numbers in [0, 1): callers that failed together do not come back together.
    """
    return min(longest, first * 2.0 ** min(max(0, attempt - 1), 16)) * (0.5 + random() / 2)


def retry_after(header: str, now: datetime, *, date: str = "") -> float | None:
    """Seconds that a Retry-After header asks for, by a number or an HTTP date; None where it asks for nothing.

    A date is meant by the clock of whoever answers, which the answer's own header `date` tells; `now` is ours.
    """
    text = header.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        at = _http_date(text)
        if at is None:
            return None
        seconds = (at - (_http_date(date) or now)).total_seconds()
    return seconds if 0 <= seconds < _DAY else None


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
