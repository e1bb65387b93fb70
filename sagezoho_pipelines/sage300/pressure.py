"""How hard the server may be pressed: one limiter for all threads of a client.

The number at which Sage 300 answers 429 is unknown, and a 503 means that IIS is recycling the application pool. So the
limit halves when the server pushes back, every caller waits out the same window, and the limit grows back one by one.
"""

from __future__ import annotations

import random as randomness
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sagezoho_pipelines.calls.pressure import Slots, Window, unheard, untold

#: Processes come back spread over so many seconds after the end of a window, or over its length where it was shorter.
SPREAD: Final = 2.0
#: Seconds between two looks of a caller that waits for a place: whether it is to stop, or a window was opened.
_LOOK_EVERY: Final = 0.5


class Stopped(Exception):
    """The caller has gone away: the request is not worth sending any more."""


class Pressure:
    """At most `limit` calls at a time, fewer while the server pushes back. Seconds on `clock` are monotonic.

    `heard` and `tell` reach the other processes: calls/pressure.py says how.
    """

    def __init__(
        self,
        limit: int,
        *,
        clock: Callable[[], float],
        heard: Callable[[], float | None] = unheard,
        tell: Callable[[float], None] = untold,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self._clock = clock
        self._slots = Slots(limit)
        self._window = Window(
            self._slots, clock=clock, heard=heard, tell=tell, drawn_out=lambda left: random() * min(left, SPREAD)
        )

    @property
    def allowed(self) -> int:
        return self._slots.allowed

    @contextmanager
    def slot(self, pause: Callable[[float], None]) -> Iterator[None]:
        """Wait out the window and for a free place; hold the place while the block runs."""
        self._enter(pause)
        try:
            yield
        finally:
            self._slots.leave()

    def pushed_back(self, seconds: float) -> None:
        """The server answered 429 or 503: half as many calls, and none for so many seconds."""
        self._window.pushed_back(lambda _opens: seconds)

    def succeeded(self) -> None:
        self._slots.answered()

    def _enter(self, pause: Callable[[float], None]) -> None:
        while True:
            self._window.listen()
            wait = self._left()
            if wait <= 0:
                if self._slots.take(_LOOK_EVERY):
                    if self._left() <= 0:
                        return
                    self._slots.leave()  # the server pushed somebody back while this caller waited
                wait = 0.0
            pause(wait)

    def _left(self) -> float:
        return self._window.open_at - self._clock()
