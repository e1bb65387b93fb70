"""What a run cost: calls and Zoho credits, counted where the calls are made."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Usage:
    """Thread-safe counters of one client. `credits_remaining` is Zoho's own figure, told from half the allowance on."""

    reads: int = 0
    writes: int = 0
    retries: int = 0
    credits: int = 0
    retried_credits: int = 0
    credits_remaining: int | None = None
    by_call: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self, call: str, *, write: bool, credits: int = 0) -> None:
        with self._lock:
            if write:
                self.writes += 1
            else:
                self.reads += 1
            self.credits += credits
            self.by_call[call] += 1

    def retried(self, credits: int = 0) -> None:
        """A call is sent once more; `credits` are what it took in vain."""
        with self._lock:
            self.retries += 1
            self.retried_credits += credits

    def remaining(self, credits: int) -> None:
        with self._lock:
            self.credits_remaining = credits

    @property
    def calls(self) -> int:
        return self.reads + self.writes

    @property
    def needed_calls(self) -> int:
        """Without those that were made in vain and again: the same whatever the weather."""
        return self.calls - self.retries

    @property
    def needed_credits(self) -> int:
        return self.credits - self.retried_credits
