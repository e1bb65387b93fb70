"""Reading a whole set by our own `$skip`, while others insert and delete rows in it.

What is known of the server: rows come in key order; a page may be smaller than asked; a nextLink means that there is
more, and its absence means little. Counting from the front, rows shift when others insert or delete before our place.
So consecutive pages overlap by one row: a page in which no row of the pages before is found again has slid over rows
that nobody read, and we step back until we know our place. An insert only makes us read a row twice, and is dropped.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sagezoho_pipelines.domain import json
from sagezoho_pipelines.domain.errors import VendorError, Verdict
from sagezoho_pipelines.domain.records import Row, System

#: Pages in a row without a new row, after which the server is taken to ignore `$skip`.
STUCK_AFTER = 20
#: Times a read may start over because every row around its place has gone.
MAX_RESTARTS = 5


@dataclass(frozen=True, slots=True)
class ServedPage:
    rows: Sequence[dict[str, Any]]
    more: bool  # the server gave a nextLink


#: Reads the page at a number of skipped rows; runs in background threads.
FetchPage = Callable[[int], ServedPage]


def read_pages(fetch: FetchPage, *, key: Sequence[str], ahead: int, stop: threading.Event) -> Iterator[Sequence[Row]]:
    """Stream the new rows of each page. At most `ahead` pages are read or held in advance, none for 0.

    `fetch` must ask for the same number of rows each time. Rows are told apart by `key`, or whole when that is unknown.
    Closing the iterator early sets `stop` and waits for the requests in flight.
    """
    with ThreadPoolExecutor(max_workers=max(1, ahead), thread_name_prefix="sage300-pages") as pool:
        reader = _Ahead(fetch, pool, ahead)
        try:
            yield from _walk(reader, _Window(key))
        finally:
            stop.set()
            reader.drop()


def _walk(reader: _Ahead, window: _Window) -> Iterator[Sequence[Row]]:
    skip = full = fruitless = restarts = 0  # full: the longest page so far; one that is shorter may be the last
    while True:
        page = reader.take(skip)
        if full > 1 and not window.knows_any(page.rows):
            if skip:
                skip = max(0, skip - (full - 1))
                continue
            restarts += 1
            if restarts > MAX_RESTARTS:
                raise _stuck("the pages before could not be found again.")
        new = window.unknown(page.rows)
        ended = not page.rows or (len(page.rows) < full and not page.more)
        certain = page.more or len(page.rows) == full
        full = max(full, len(page.rows))
        skip += len(page.rows) - (1 if len(page.rows) > 1 else 0)
        fruitless = 0 if new else fruitless + 1
        if fruitless >= STUCK_AFTER:
            raise _stuck(f"{STUCK_AFTER} pages in a row held nothing new.")
        if not ended:
            reader.expect(skip, max(1, full - 1), certain=certain)
        if new:
            yield new
        if ended:
            return


class _Ahead:
    """Pages in flight or waiting, by the place they were read at; a page that was not foreseen drops the others."""

    def __init__(self, fetch: FetchPage, pool: ThreadPoolExecutor, ahead: int) -> None:
        self._fetch = fetch
        self._pool = pool
        self._ahead = ahead
        self._pending: dict[int, Future[ServedPage]] = {}

    def expect(self, skip: int, stride: int, *, certain: bool) -> None:
        """Start reading from here on; further than one page only where more is likely."""
        depth = self._ahead if certain else min(1, self._ahead)
        wanted = [skip + number * stride for number in range(depth)]
        for place in [place for place in self._pending if place not in wanted]:
            self._pending.pop(place).cancel()
        for place in wanted:
            if place not in self._pending:
                self._pending[place] = self._pool.submit(self._fetch, place)

    def take(self, skip: int) -> ServedPage:
        future = self._pending.pop(skip, None)
        if future is None:
            self.drop()
            return self._fetch(skip)
        return future.result()

    def drop(self) -> None:
        for future in self._pending.values():
            future.cancel()
        self._pending.clear()


class _Window:
    """The keys of the last two pages: enough to know our place again, and flat in memory."""

    def __init__(self, key: Sequence[str]) -> None:
        self._key = tuple(key)
        self._pages: deque[set[Hashable]] = deque(maxlen=2)

    def knows_any(self, rows: Sequence[Row]) -> bool:
        return any(self._known(self._identity(row)) for row in rows)

    def unknown(self, rows: Sequence[dict[str, Any]]) -> list[Row]:
        """The rows not seen in this window; the page becomes its newest part."""
        fresh: list[Row] = []
        here: set[Hashable] = set()
        for row in rows:
            identity = self._identity(row)
            if identity not in here and not self._known(identity):
                fresh.append(row)
            here.add(identity)
        if here:
            self._pages.append(here)
        return fresh

    def _known(self, identity: Hashable) -> bool:
        return any(identity in page for page in self._pages)

    def _identity(self, row: Row) -> Hashable:
        if self._key and all(name in row for name in self._key):
            return tuple(row[name] for name in self._key)
        return json.dumps(row)


def _stuck(text: str) -> VendorError:
    return VendorError(
        system=System.SAGE300,
        code="PagingStuck",
        text=text,
        verdict=Verdict.RETRY,
        advice="The server or a cache in between seems to ignore $skip.",
    )
