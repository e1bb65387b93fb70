"""How hard one server may be pressed: how many calls run at once, and the rests that all callers share.

Other processes' callers rest too, where what one process tells is heard by the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

#: Answers in a row without push-back before one more call may run at once.
GROW_AFTER: Final = 20
#: Seconds; the longest rest that another process can ask for.
LONGEST: Final = 60.0
#: Seconds. Ends of windows nearer to each other are one and the same window, told on the way through another clock.
_SAME: Final = 0.5
#: A window of another process that ended so many seconds ago still halves the number of calls at once.
_RECENT: Final = 2.0


def unheard() -> None:
    """Of other processes nothing is known."""


def untold(_seconds: float) -> None:
    """Other processes are not told."""


class Slots:
    """At most `limit` calls at once: half as many after a push-back, one more again after every few answers."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("at least one call must be allowed")
        self._limit = self._allowed = limit
        self._active = 0
        self._answers = 0
        self._changed = threading.Condition()

    @property
    def allowed(self) -> int:
        with self._changed:
            return self._allowed

    def take(self, timeout: float | None = None) -> bool:
        """Take a free place; False where there was none for `timeout` seconds."""
        with self._changed:
            # Every holder's call has time-outs and its wait an end, so this ends.
            free = self._changed.wait_for(lambda: self._active < self._allowed, timeout)
            self._active += free
            return free

    def leave(self) -> None:
        with self._changed:
            self._active -= 1
            self._changed.notify_all()

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *_exc: object) -> None:
        self.leave()

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


class Window:
    """The time in which nothing is sent. A push-back opens it, here or in another process; each halves `slots` once.

    `clock` counts monotonic seconds. `tell` is given the seconds of every new window; `heard` says how many seconds of
    the newest window of any process are left, negative once it is over, or None. Both are called without the lock and
    must not raise. `drawn_out` says by how many seconds this process lengthens what is left of another one's window.
    """

    def __init__(
        self,
        slots: Slots,
        *,
        clock: Callable[[], float],
        heard: Callable[[], float | None] = unheard,
        tell: Callable[[float], None] = untold,
        drawn_out: Callable[[float], float] = lambda _left: 0.0,
    ) -> None:
        self._slots = slots
        self._clock, self._heard, self._tell, self._drawn_out = clock, heard, tell, drawn_out
        self._lock = threading.Lock()
        self._end = float("-inf")  # of the newest window, before it was drawn out
        self._open_at = float("-inf")

    @property
    def open_at(self) -> float:
        """When calls may go out again, by `clock`."""
        with self._lock:
            return self._open_at

    def pushed_back(self, rest: Callable[[bool], float]) -> float:
        """The server turned a call away; returns the seconds for which nobody sends.

        `rest` gives the seconds to stay away; it is told whether this opens a window, or came in an open one.
        """
        with self._lock:
            now = self._clock()
            opens = now >= self._open_at
            if opens:
                self._slots.halve()
            seconds = rest(opens)
            longer = now + seconds > self._end
            self._end = max(self._end, now + seconds)
            self._open_at = max(self._open_at, now + seconds)
            left = self._open_at - now
        if longer:
            self._tell(seconds)
        return left

    def listen(self) -> None:
        """Rest with the other processes, where one of them was pushed back."""
        left = self._heard()
        if left is None or left <= -_RECENT:
            return
        left = min(left, LONGEST)
        with self._lock:
            now = self._clock()
            if now + left <= self._end + _SAME:
                return
            if now >= self._open_at:
                self._slots.halve()
            self._end = now + left
            self._open_at = max(self._open_at, self._end + self._drawn_out(max(left, 0.0)))
