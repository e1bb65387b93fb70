"""Back-off that all callers of one organisation share: when Zoho says "too many", everybody waits."""

from __future__ import annotations

import random as _random
import threading
import time
from collections.abc import Callable

from sagezoho_pipelines.calls.pressure import LONGEST, Slots, Window, unheard, untold
from sagezoho_pipelines.calls.waits import backoff
from sagezoho_pipelines.zoho_crm import limits

_FIRST = 1.0


class Pressure:
    """The rests of all callers. Each refusal doubles them, an answer that is not a refusal ends the series.

    `random` gives numbers in [0, 1): waits are jittered so that callers do not come back all at once.
    """

    def __init__(
        self,
        slots: Slots,
        window: Window,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
    ) -> None:
        self._slots, self._window = slots, window
        self._monotonic, self._sleep, self._random = monotonic, sleep, random
        self._lock = threading.Lock()
        self._strikes = 0

    def wait(self) -> None:
        """Until the window is over, which others may draw out while this caller sleeps."""
        self._window.listen()
        slept_until = float("-inf")
        while True:
            until = self._window.open_at
            left = until - self._monotonic()
            if left <= 0 or until <= slept_until:
                return
            slept_until = until
            self._sleep(left * (1 + self._random() / 2))

    def strike(self, retry_after: float | None) -> float:
        """One refusal; returns the seconds the window is now open for. Refusals inside an open window count once."""

        def rest(opens: bool) -> float:
            with self._lock:
                self._strikes += opens
                own = backoff(self._strikes, self._random, first=_FIRST, longest=LONGEST)
            return max(own, min(retry_after or 0.0, LONGEST))

        return self._window.pushed_back(rest)

    def relax(self) -> None:
        with self._lock:
            self._strikes = 0
        self._slots.answered()


class Gate:
    """What all callers of one organisation share: how many calls may run at once, and the back-off of them all.

    `heard` and `tell` reach the other processes: calls/pressure.py says how.
    """

    def __init__(
        self,
        concurrency: int,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        heard: Callable[[], float | None] = unheard,
        tell: Callable[[float], None] = untold,
    ) -> None:
        self.slots = Slots(concurrency)
        window = Window(self.slots, clock=monotonic, heard=heard, tell=tell)
        self.pressure = Pressure(self.slots, window, monotonic=monotonic, sleep=sleep, random=random)
        self.heavy_slots = threading.BoundedSemaphore(min(concurrency, limits.HEAVY_CONCURRENCY))
