"""Back-off that all callers of one client share: when Zoho says "too many", everybody waits."""

from __future__ import annotations

import random as _random
import threading
import time
from collections.abc import Callable

from sagezoho_pipelines.zoho_crm import limits

_FIRST = 1.0
_LONGEST = 60.0


class Pressure:
    """A window in which nothing is sent. Each refusal doubles it, an answer that is not a refusal ends the series.

    `random` gives numbers in [0, 1): waits are jittered so that callers do not come back all at once.
    """

    def __init__(
        self, *, monotonic: Callable[[], float], sleep: Callable[[float], None], random: Callable[[], float]
    ) -> None:
        self._monotonic, self._sleep, self._random = monotonic, sleep, random
        self._lock = threading.Lock()
        self._strikes = 0
        self._until = 0.0

    def wait(self) -> None:
        with self._lock:
            left = self._until - self._monotonic()
        if left > 0:
            self._sleep(left * (1 + self._random() / 2))

    def strike(self, retry_after: float | None) -> float:
        """One refusal; returns the seconds the window is now open for. Refusals inside an open window count once."""
        with self._lock:
            now = self._monotonic()
            if now >= self._until:
                self._strikes += 1
            own = backoff(self._strikes, self._random, first=_FIRST, longest=_LONGEST)
            self._until = max(self._until, now + max(own, min(retry_after or 0.0, _LONGEST)))
            return self._until - now

    def relax(self) -> None:
        with self._lock:
            self._strikes = 0


class Gate:
    """What all callers of one organisation share: how many calls may run at once, and the back-off of them all."""

    def __init__(
        self,
        concurrency: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self.pressure = Pressure(monotonic=monotonic, sleep=sleep, random=random)
        self.slots = threading.BoundedSemaphore(concurrency)
        self.heavy_slots = threading.BoundedSemaphore(min(concurrency, limits.HEAVY_CONCURRENCY))


def backoff(attempt: int, random: Callable[[], float], *, first: float, longest: float) -> float:
    """Doubling from `first`, capped, then jittered down to no less than half."""
    return float(min(longest, first * 2 ** min(max(0, attempt - 1), 16)) * (0.5 + random() / 2))
