"""Back-off that all callers of one organisation share: when Zoho says "too many", everybody waits.

Other processes' callers wait too, where what one process tells is heard by the others.
"""

from __future__ import annotations

import random as _random
import threading
import time
from collections.abc import Callable

from sagezoho_pipelines.zoho_crm import limits

_FIRST = 1.0
_LONGEST = 60.0
#: Seconds. Ends of windows nearer to each other are one and the same window, told on the way through another clock.
_SAME = 0.5
#: A window of another process that ended so many seconds ago still halves the number of calls at once.
_RECENT = 2.0
#: Answers in a row without a refusal before one more call may run at once.
GROW_AFTER = 20


def _unheard() -> None:
    return None


def _untold(_seconds: float) -> None:
    pass


class Slots:
    """At most `limit` calls at once: half as many after a refusal, one more again after every few answers."""

    def __init__(self, limit: int) -> None:
        self._limit = self._allowed = limit
        self._active = 0
        self._answers = 0
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        with self._changed:
            return self._allowed

    def __enter__(self) -> None:
        with self._changed:
            # Every holder's call has time-outs and its wait an end, so this ends.
            self._changed.wait_for(lambda: self._active < self._allowed)
            self._active += 1

    def __exit__(self, *_exc: object) -> None:
        with self._changed:
            self._active -= 1
            self._changed.notify_all()

    def halve(self) -> None:
        with self._changed:
            self._allowed = max(1, self._allowed // 2)
            self._answers = 0

    def answered(self) -> None:
        with self._changed:
            self._answers += 1
            if self._answers >= GROW_AFTER and self._allowed < self._limit:
                self._answers = 0
                self._allowed += 1
                self._changed.notify_all()


class Pressure:
    """A window in which nothing is sent. Each refusal doubles it, an answer that is not a refusal ends the series.

    `random` gives numbers in [0, 1): waits are jittered so that callers do not come back all at once. `tell` is given
    the seconds of every new window; `heard` says how many seconds of the newest window of any process are left,
    negative once it is over, or None. Both are called without the lock and must not raise.
    """

    def __init__(
        self,
        slots: Slots,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        heard: Callable[[], float | None] = _unheard,
        tell: Callable[[float], None] = _untold,
    ) -> None:
        self._slots = slots
        self._monotonic, self._sleep, self._random = monotonic, sleep, random
        self._heard, self._tell = heard, tell
        self._lock = threading.Lock()
        self._strikes = 0
        self._until = float("-inf")

    def wait(self) -> None:
        """Until the window is over, which others may draw out while this caller sleeps."""
        self._listen()
        slept_until = float("-inf")
        while True:
            with self._lock:
                until, left = self._until, self._until - self._monotonic()
            if left <= 0 or until <= slept_until:
                return
            slept_until = until
            self._sleep(left * (1 + self._random() / 2))

    def strike(self, retry_after: float | None) -> float:
        """One refusal; returns the seconds the window is now open for. Refusals inside an open window count once."""
        with self._lock:
            now = self._monotonic()
            if now >= self._until:
                self._strikes += 1
                self._slots.halve()
            own = backoff(self._strikes, self._random, first=_FIRST, longest=_LONGEST)
            until = now + max(own, min(retry_after or 0.0, _LONGEST))
            longer = until > self._until
            self._until = max(self._until, until)
            left = self._until - now
        if longer:
            self._tell(left)
        return left

    def relax(self) -> None:
        with self._lock:
            self._strikes = 0
        self._slots.answered()

    def _listen(self) -> None:
        left = self._heard()
        if left is None or left <= -_RECENT:
            return
        with self._lock:
            now = self._monotonic()
            until = now + min(left, _LONGEST)
            if until <= self._until + _SAME:
                return
            if now >= self._until:
                self._slots.halve()
            self._until = until


class Gate:
    """What all callers of one organisation share: how many calls may run at once, and the back-off of them all."""

    def __init__(
        self,
        concurrency: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        heard: Callable[[], float | None] = _unheard,
        tell: Callable[[float], None] = _untold,
    ) -> None:
        self.slots = Slots(concurrency)
        self.pressure = Pressure(self.slots, monotonic=monotonic, sleep=sleep, random=random, heard=heard, tell=tell)
        self.heavy_slots = threading.BoundedSemaphore(min(concurrency, limits.HEAVY_CONCURRENCY))


def backoff(attempt: int, random: Callable[[], float], *, first: float, longest: float) -> float:
    """Doubling from `first`, capped, then jittered down to no less than half."""
    return float(min(longest, first * 2 ** min(max(0, attempt - 1), 16)) * (0.5 + random() / 2))
