"""How hard the server may be pressed: one limiter for all threads of a client.

The number at which Sage 300 answers 429 is unknown, and a 503 means that IIS is recycling the application pool. So the
limit halves when the server pushes back, every caller waits out the same window, and the limit grows back one by one.
Other processes' callers do likewise, where what one limiter tells is heard by the others.
"""

from __future__ import annotations

import random as randomness
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Answers in a row without push-back before one more call may run.
GROW_AFTER = 20

#: Seconds. Ends of windows nearer to each other are one and the same window, told on the way through another clock.
SAME = 0.5
#: A window of another process that ended so many seconds ago still halves the limit.
RECENT = 2.0
#: Longest rest that another process can ask for.
LONGEST = 60.0
#: Processes come back spread over so many seconds after the end of a window, or over its length where it was shorter.
SPREAD = 2.0


def _unheard() -> None:
    return None


def _untold(_seconds: float) -> None:
    pass


class Stopped(Exception):
    """The caller has gone away: the request is not worth sending any more."""


class Pressure:
    """At most `limit` calls at a time, fewer while the server pushes back. Seconds on `clock` are monotonic.

    `tell` is given the seconds of every new window; `heard` says how many seconds of the newest window of any process
    are left, negative once it is over, or None. Both are called without the lock and must not raise.
    """

    def __init__(
        self,
        limit: int,
        *,
        clock: Callable[[], float],
        heard: Callable[[], float | None] = _unheard,
        tell: Callable[[float], None] = _untold,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        if limit < 1:
            raise ValueError("at least one call must be allowed")
        self._limit = limit
        self._allowed = limit
        self._active = 0
        self._successes = 0
        self._open_at = float("-inf")
        self._end = float("-inf")  # of the newest window, before it is drawn out so that not all come back at once
        self._clock = clock
        self._heard, self._tell, self._random = heard, tell, random
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        with self._changed:
            return self._allowed

    @contextmanager
    def slot(self, pause: Callable[[float], None]) -> Iterator[None]:
        """Wait out the pressure window and for a free place; hold the place while the block runs."""
        self._enter(pause)
        try:
            yield
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def pushed_back(self, seconds: float) -> None:
        """The server answered 429 or 503: half as many calls, and none for so many seconds."""
        with self._changed:
            now = self._clock()
            if now >= self._open_at:
                self._allowed = max(1, self._allowed // 2)
            self._successes = 0
            longer = now + seconds > self._end
            self._end = max(self._end, now + seconds)
            self._open_at = max(self._open_at, now + seconds)
        if longer:
            self._tell(seconds)

    def succeeded(self) -> None:
        with self._changed:
            self._successes += 1
            if self._successes >= GROW_AFTER and self._allowed < self._limit:
                self._successes = 0
                self._allowed += 1
                self._changed.notify_all()

    def _listen(self) -> None:
        left = self._heard()
        if left is None or left <= -RECENT:
            return
        left = min(left, LONGEST)
        with self._changed:
            now = self._clock()
            if now + left <= self._end + SAME:
                return
            if now >= self._open_at:
                self._allowed = max(1, self._allowed // 2)
            self._successes = 0
            self._end = now + left
            if left > 0:
                self._open_at = max(self._open_at, self._end + self._random() * min(left, SPREAD))

    def _enter(self, pause: Callable[[float], None]) -> None:
        while True:
            self._listen()
            with self._changed:
                wait = self._open_at - self._clock()
                if wait <= 0:
                    if self._active < self._allowed:
                        self._active += 1
                        return
                    # Every holder's call has time-outs, so this ends; the time-out here only lets a stop be noticed.
                    self._changed.wait(0.5)
                    wait = 0.0
            pause(wait)
