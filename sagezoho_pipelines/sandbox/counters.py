"""How many requests a simulated vendor saw."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

WRITING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def path_class(path: str) -> str:
    """A path without the ids in it, so that calls can be counted by kind.

    `…/ARCustomers('1200')` becomes `…/ARCustomers({key})`, a run of digits between slashes `{id}`.
    """
    path = re.sub(r"\([^/]*\)", "({key})", path)
    return re.sub(r"(?<=/)\d{6,}(?=/|$)", "{id}", path)


class Counters:
    """How many requests a vendor saw: all, writes, and by method and kind of path."""

    def __init__(self, *, is_write: Callable[[str, str], bool] | None = None) -> None:
        self.is_write = is_write or (lambda method, _path: method in WRITING_METHODS)
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self.total = 0
            self.writes = 0
            self.by_call: Counter[str] = Counter()
            self.by_status: Counter[str] = Counter()
            self.in_flight = 0
            self.most_in_flight = 0

    def begin(self, method: str, path: str) -> int:
        """Counts a request and returns how many are now in flight."""
        with self._lock:
            self.total += 1
            self.writes += self.is_write(method, path)
            self.by_call[f"{method} {path_class(path)}"] += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            return self.in_flight

    def end(self, outcome: str) -> None:
        """`outcome` is the status sent, or `reset` or `hang`."""
        with self._lock:
            self.by_status[outcome] += 1
            self.in_flight = max(0, self.in_flight - 1)

    def snapshot(self) -> dict[str, Any]:
        with self._lock:
            return {
                "total": self.total,
                "writes": self.writes,
                "most_in_flight": self.most_in_flight,
                "by_call": dict(sorted(self.by_call.items())),
                "by_status": dict(sorted(self.by_status.items())),
            }
